"""MemCubes: sets of memories with all their forms, history and provenance, each one file. Needs no torch."""

from mnemos.cube.arriving import Imported
from mnemos.cube.comparing import Changed, Comparison, FormChanged, compare
from mnemos.cube.fusing import Fused, fuse
from mnemos.cube.layout import Manifest
from mnemos.cube.memcube import MemCube
from mnemos.cube.versions import Conflict
from mnemos.cube.writing import Written

__all__ = [
    "Changed",
    "Comparison",
    "Conflict",
    "FormChanged",
    "Fused",
    "Imported",
    "Manifest",
    "MemCube",
    "Written",
    "compare",
    "fuse",
]
