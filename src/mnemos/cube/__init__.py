"""MemCubes: sets of memories with all their forms, history and provenance, each one file. Needs no torch."""

from mnemos.cube.importing import Imported
from mnemos.cube.layout import Manifest
from mnemos.cube.memcube import MemCube
from mnemos.cube.writing import Written

__all__ = ["Imported", "Manifest", "MemCube", "Written"]
