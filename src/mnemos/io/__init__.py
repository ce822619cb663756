"""Importers and exporters, one format a file."""

from mnemos.io.formats import FORMATS, detect_format
from mnemos.io.importing import ImportReport, ImportStopped, import_file
from mnemos.io.jsonl import ExportReport, export_file

__all__ = [
    "FORMATS",
    "ExportReport",
    "ImportReport",
    "ImportStopped",
    "detect_format",
    "export_file",
    "import_file",
]
