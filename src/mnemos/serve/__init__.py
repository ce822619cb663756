"""The server: REST, an OpenAI-compatible proxy, MCP and a console over one folder of stores."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnemos.serve.app import create_app
    from mnemos.serve.settings import Settings

__all__ = ["Settings", "create_app"]


def __getattr__(name: str) -> Any:
    """The public names, loaded when they are asked for: MCP over stdio does without the web framework."""
    if name == "create_app":
        from mnemos.serve.app import create_app

        return create_app
    if name == "Settings":
        from mnemos.serve.settings import Settings

        return Settings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
