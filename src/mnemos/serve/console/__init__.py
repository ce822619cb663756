"""The console: pages under `/ui`, rendered by the server, for people who want to see what is remembered."""

from mnemos.serve.console.site import install

__all__ = ["install"]
