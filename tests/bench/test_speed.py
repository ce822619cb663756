"""The machinery of `make bench`: texts, harness, tables and plot. Nothing here asserts a time."""

import json
import statistics
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
SCRIPT = BENCH / "peers" / "mnemos" / "peer.py"


@pytest.fixture(autouse=True)
def _bench_on_path(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)


def step(size, added, seconds, p50):
    return {"size": size, "added": added, "seconds": seconds, "search": {"p50_ms": p50, "p95_ms": p50, "n": 100}}


def system(steps, **more):
    first = {"100": {"open_and_search_s": 0.5}, "1000": {"rss_mb": 100.0, "peak_mb": 120.0, "disk_mb": 9.0}}
    return {"steps": steps, "stopped": None, "first": first, "add": {"p50_ms": 2.0}, "versions": {}, **more}


RESULTS = {
    "sizes": [100, 1000],
    "kept": 100,
    "left_out": {"Other": "its environment\ncould not be made"},
    "systems": {
        "Mnemos": system([step(100, 100, 0.1, 1.0), step(1000, 900, 0.9, 4.0)], long={"megabytes": 6, "seconds": 3}),
        "Slow": system([step(100, 100, 10.0, 25.0)], add={"p50_ms": 1.0}),
    },
}


def test_turns_have_the_length_of_locomo():
    from texts import Writer

    messages = Writer(1).messages(4000)
    lengths = sorted(len(message["content"]) for message in messages)
    assert statistics.median(lengths) == pytest.approx(125, abs=6)
    assert lengths[400] == pytest.approx(56, abs=12)
    assert lengths[3600] == pytest.approx(250, abs=30)
    assert max(lengths) < 500


def test_texts_repeat_with_the_seed():
    from texts import Writer

    assert Writer(1).messages(50) == Writer(1).messages(50)
    assert Writer(1).questions(5) != Writer(2).questions(5)
    (document,) = Writer(1).documents(1, 20_000)
    assert 18_000 < len(document) < 24_000


def test_the_comparison_by_hand():
    from tables import comparison

    table = comparison(RESULTS)
    cells = {row[0]: row[1:] for row in table.rows}
    assert table.columns == ("measure", "Mnemos", "Slow")
    assert cells["bulk import, turns/s"] == ("1,000", "10 (×100)")
    assert cells["one add at 100, p50 ms"] == ("2.00", "1.00 (×0.5)")
    assert cells["search at 1,000, p50 ms"] == ("4.00", "–")
    assert cells["long texts, MB/s"] == ("2.00", "–")
    assert "Slow was measured up to 100 memories only." in table.note
    assert "Other is left out: could not be made." in table.note


def test_the_gate_has_its_lines():
    from tables import gate_rows

    found = {"turns": 2000, "characters": 125, "scan_us": 8.04, "judge_us": {"1000": 190.2, "2000": 1201.0}}
    assert gate_rows(found) == [
        ("gate, processor time: secret scan of a turn of 125 characters", "8.0 µs"),
        ("gate, processor time: judging a turn in a store of 1,000, in `maintain()`", "190 µs"),
        ("gate, processor time: judging a turn in a store of 2,000, in `maintain()`", "1,201 µs"),
    ]


def test_the_gate_is_measured(tmp_path):
    from texts import Writer

    from mnemos.bench.gating import cost

    found = cost(tmp_path, Writer(1).messages(60), small=20)
    assert found["turns"] == 60
    assert found["judge_us"].keys() == {"20", "60"}
    assert min(found["scan_us"], *found["judge_us"].values()) > 0


def test_growth_by_hand():
    from tables import own_table

    assert own_table(RESULTS).rows == (("a search of 1,000 against one of 100 (×10)", "×4.0"),)


def test_the_plot_is_svg_with_every_system():
    from plot import log_plot
    from tables import curve

    root = ElementTree.fromstring(log_plot(curve(RESULTS), title="a & b", across="x", up="y"))
    said = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"a & b", "Mnemos", "Slow", "100", "1,000"} <= said
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 3


def run_phase(*options):
    done = subprocess.run([sys.executable, SCRIPT, *map(str, options)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_harness_measures_mnemos(tmp_path):
    from texts import Writer

    writer = Writer(2)
    texts, queries = tmp_path / "turns.jsonl", tmp_path / "queries.json"
    texts.write_text("\n".join(json.dumps(message) for message in writer.messages(245)), encoding="utf-8")
    queries.write_text(json.dumps(writer.questions(12)), encoding="utf-8")
    folder = tmp_path / "store"
    shared = ("--folder", folder, "--texts", texts, "--queries", queries)
    grown = run_phase("grow", *shared, "--sizes", "60,140", "--keep", "60")
    assert [(one["size"], one["added"]) for one in grown["steps"]] == [(60, 60), (140, 80)]
    assert all(one["search"]["hits"] == 10 for one in grown["steps"])
    first = run_phase("first", "--folder", f"{folder}-kept", "--queries", queries)
    assert first["hits"] == 10
    assert 0 < first["rss_mb"] <= first["peak_mb"]
    assert first["disk_mb"] > 0
    assert run_phase("adds", *shared)["n"] == 100
    assert run_phase("long", "--folder", tmp_path / "long", "--texts", texts)["texts"] == 245
