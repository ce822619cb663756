"""The verbs of each operation, one file an operation; `Mnemos` has them all."""
