"""What moves between forms: which memories are text, keys and values, or weights, and how a model reads them all."""
