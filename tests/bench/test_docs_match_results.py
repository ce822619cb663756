"""The documents say what the committed results say."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from mnemos.bench import report, results

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench" / "results"


@pytest.fixture(scope="module")
def docs():
    spec = importlib.util.spec_from_file_location("mnemos_docs_tool", ROOT / "tools" / "docs.py")
    module = importlib.util.module_from_spec(spec)
    before = sys.path.copy()
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before


def test_documents_and_results_agree(docs):
    for path, text in docs.rendered().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale: run `make docs`"


def test_every_measure_stands_in_a_document(docs):
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in docs.DOCUMENTS]
    assert {match[2] for text in texts for match in docs.BLOCK.finditer(text)} == set(docs.BLOCKS)


def test_a_changed_figure_is_noticed(docs):
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    block = next(match for match in docs.BLOCK.finditer(text) if match[2] == "recall")
    changed = text[: block.end(1)] + text[block.end(1) :].replace(" / ", " / 1", 1)
    assert changed != text
    assert docs.fill(changed) == text


def test_saved_tables_follow_from_the_saved_scores():
    for path in sorted(RESULTS.glob("recall*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        again = [[list(row) for row in table.rows] for table in report.tables(report.from_json(results.load(path)))]
        assert [table["rows"] for table in data["tables"]] == again, path.name


def test_check_only_looks(docs):
    done = subprocess.run([sys.executable, ROOT / "tools" / "docs.py", "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
