"""`python -m mnemos` is the command line."""

from mnemos.cli import main

if __name__ == "__main__":
    main()
