"""The server: REST, an OpenAI-compatible proxy, MCP and a console over one folder of stores."""

from mnemos.serve.app import create_app
from mnemos.serve.settings import Settings

__all__ = ["Settings", "create_app"]
