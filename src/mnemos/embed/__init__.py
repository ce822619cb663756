"""Text to vectors. The bundled static embedder is the default; others plug in behind `Embedder`."""

from mnemos.embed.protocol import Embedder

__all__ = ["Embedder"]
