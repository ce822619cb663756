"""The one place that states the version (semantic versioning)."""

__version__ = "0.4.0"
