"""Import: a file is handed over, read in the background, and its progress shown."""

from mnemos.serve.console.route import pages

router = pages()
