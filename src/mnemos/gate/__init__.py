"""What gets in, and what gets out of the way: policies of the gate, one a file."""
