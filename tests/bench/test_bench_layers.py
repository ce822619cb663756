"""`mnemos bench layers`: what is counted against what must be kept, a small run, and its report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from mnemos.bench import layers_report as report
from mnemos.bench.results import save

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
torch.set_num_threads(1)

from mnemos.bench.neural import layers  # noqa: E402
from mnemos.cli import main  # noqa: E402
from mnemos.neural import kernels  # noqa: E402

TINY = layers.Plan(width=16, heads=2, tokens=24, lengths=(64, 128, 256), rounds=2)


def test_what_a_product_keeps_is_counted_once_and_weights_are_not() -> None:
    weight = torch.ones(3, 5, requires_grad=True)
    x = torch.ones(7, 3, requires_grad=True)
    with layers.counted({weight.untyped_storage().data_ptr()}) as found:
        y = (x @ weight).sin() + (x * x).sum()
    assert y.shape == (7, 5)
    assert sum(found.values()) == 4 * (7 * 3 + 7 * 5)


@pytest.mark.parametrize("name", ["lstm", "delta-net", "gla", "titans", "hope"])
def test_what_training_keeps_grows_with_the_text_and_the_state_does_not(name: str) -> None:
    layer = layers.built(name, layers.LAYERS[name], TINY, 0)
    found = [layers.kept(name, layer, layers.texts(TINY, tokens, 0)) for tokens in (128, 256, 512)]
    assert len({one.state for one in found}) == 1
    assert 0.9 < report.growth({one.tokens: one.saved for one in found}) < 1.1


def test_the_state_of_attention_grows_with_the_text() -> None:
    layer = layers.built("attention", layers.LAYERS["attention"], TINY, 0)
    assert layers.kept("attention", layer, layers.texts(TINY, 64, 0)).state == 2 * 64 * 16


def test_layers_and_texts_are_the_same_for_the_same_seed() -> None:
    one, other = (layers.built("titans", layers.LAYERS["titans"], TINY, 3) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert torch.equal(layers.texts(TINY, 9, 3), layers.texts(TINY, 9, 3))
    assert not torch.equal(layers.texts(TINY, 9, 3), layers.texts(TINY, 9, 4))


def test_every_layer_of_the_list_can_be_built() -> None:
    for name in layers.LAYERS:
        layer = layers.built(name, layers.LAYERS[name], TINY, 0)
        found = layers.kept(name, layer, layers.texts(TINY, 24, 0))
        assert found.saved > 0
        assert (found.state == 0) == (name in layers.LOOKUPS)


def test_a_run_is_complete_and_goes_through_json(tmp_path: Path) -> None:
    run = layers.run(TINY, names=("retnet", "attention", "peer"))
    expected = [(name, way) for name in ("retnet", "attention") for way in report.WAYS]
    expected += [("peer", way) for way in report.WAYS if way != report.STEP]
    assert [(one.name, one.way) for one in run.speeds] == expected
    assert all(len(one.seconds) == 2 and min(one.seconds) > 0 for one in run.speeds)
    save(report.to_json(run), tmp_path / "layers.json")
    assert report.from_json(json.loads((tmp_path / "layers.json").read_text("utf-8"))) == run


def test_where_kernels_serve_a_layer_is_measured_by_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    class Library:
        def __getattr__(self, name: str) -> object:
            def kernel(*, v: object, initial_state: object, **_: object) -> tuple[object, object]:
                called.append(name)
                return v, initial_state

            return kernel

    monkeypatch.setattr(kernels, "library", Library)
    monkeypatch.setattr(kernels, "served", lambda device, kind, *widths: kind is torch.bfloat16 and widths == (8, 8))
    run = layers.run(TINY, names=("gla", "titans"))
    assert [one.way for one in run.speeds if one.name == "gla, fla"] == [report.CHUNK, report.TRAIN]
    assert not any(one.name == "titans, fla" for one in run.speeds)
    assert set(called) == {"chunk_gla"}
    speed, others, *_ = report.tables(run)
    assert "bfloat16" in speed.note
    assert [row[:2] for row in others.rows] == [("gla", "gla, fla")]


def test_the_tables_say_what_was_measured() -> None:
    shape = {"width": 64, "heads": 1, "batch": 1, "device": "cpu", "threads": 1}
    speeds = [
        report.Speed("retnet", report.STEP, 100, [1.0, 3.0, 2.0]),
        report.Speed("retnet", report.CHUNK, 100, [0.1]),
        report.Speed("other", report.CHUNK, 100, [0.2]),
    ]
    held = [report.Held("retnet", 100, 2_000_000, 10), report.Held("retnet", 200, 8_000_000, 10)]
    speed, kept, state = report.tables(report.Run(shape, speeds, held, 0))
    assert speed.rows == (("retnet", "50", "1,000", "–", "20.0"), ("other", "–", "500", "–", "–"))
    assert kept.rows == (("retnet", "2.0", "8.0", "2.00"),)
    assert state.rows == (("retnet", "10", "10"),)


def test_others_are_compared_with_ours_of_the_same_model() -> None:
    shape = {"width": 64, "heads": 1, "batch": 1, "device": "cpu", "threads": 1}
    speeds = [
        report.Speed("titans", report.STEP, 100, [1.0]),
        report.Speed("titans", report.CHUNK, 100, [0.1]),
        report.Speed("titans-pytorch", report.CHUNK, 100, [0.4]),
        report.Speed("PEER-pytorch", report.CHUNK, 100, [0.4]),
    ]
    others = report.tables(report.Run(shape, speeds, (), 0, {"titans-pytorch": {"torch": "2"}}))[1]
    assert others.rows == (
        ("titans", "titans-pytorch", "–", "4.0", "–"),
        ("peer", "PEER-pytorch", "–", "–", "–"),
    )


def test_the_command_prints_what_it_saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "QUICK", TINY)
    line = ["bench", "layers", "--quick", "--preset", "retnet", "--save", str(tmp_path / "file"), "--json"]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "file").read_text("utf-8")) == json.loads(done.stdout)
    assert CliRunner().invoke(main, ["bench", "layers", "--preset", "gru"]).exit_code == 2


def test_texts_for_which_too_much_would_be_kept_are_left_out() -> None:
    plan = replace(layers.QUICK, lengths=(32, 64, 128))
    layer = layers.built("gated-delta-net", layers.LAYERS["gated-delta-net"], plan, 0)
    every = layers.growing("gated-delta-net", layer, plan, 0)
    assert [one.tokens for one in every] == [32, 64, 128]
    less = layers.growing("gated-delta-net", layer, replace(plan, most=every[1].saved * 1.5), 0)
    assert less == every[:2]
