"""`mnemos bench forms` with the model that comes with Mnemos, its report, and the example of its page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnemos.bench import forms_report as report

ROOT = Path(__file__).resolve().parents[2]
torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from mnemos.bench.forms import fixtures, forms, mixed  # noqa: E402
from mnemos.bench.forms.people import STRANGERS, day, facts, learned  # noqa: E402
from mnemos.bench.forms.widening import widened  # noqa: E402
from mnemos.bench.forms.words import BEGINNING, ids_of, vocabulary  # noqa: E402
from mnemos.rendering import OPENING_LINE  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model():
    return fixtures.bundled()[0]


@pytest.fixture(scope="module")
def run(model) -> report.Run:
    return forms.run(forms.QUICK, model=model)


def said(model, prompt: list[int], most: int = 3) -> str:
    ids = torch.tensor([prompt])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=most, do_sample=False)
    words = fixtures.tokenizer()
    return words.decode(out[0, len(prompt) :], skip_special_tokens=True)


def test_the_bundled_model_knows_what_it_was_taught_by_heart(model) -> None:
    known = learned()[::40]
    assert sum(said(model, ids_of(fact.question)) == fact.answer for fact in known) >= 48


def test_the_bundled_model_reads_what_it_was_never_taught(model) -> None:
    import random

    told = facts(STRANGERS, random.Random("read"), 60)
    page = [vocabulary()[BEGINNING], *ids_of(OPENING_LINE)]
    for number, fact in enumerate(told):
        page += ids_of(f"[{day(number):%Y-%m-%d}] Ana: {fact.text}\n")
    right = [said(model, page + ids_of(fact.question)) == fact.answer for fact in told]
    assert sum(right) >= 55
    assert sum(said(model, ids_of(fact.question)) == fact.answer for fact in told) <= 15, "it cannot know them"


def test_a_wider_model_says_the_same(model) -> None:
    wide = widened(model, 3)
    assert wide.config.hidden_size == 3 * model.config.hidden_size
    ids = torch.arange(40)[None] + 3
    with torch.no_grad():
        one, other = model(input_ids=ids).logits, wide(input_ids=ids).logits
    assert torch.allclose(one, other, atol=1e-4)


def test_every_form_is_measured_and_answers(run: report.Run) -> None:
    ways = {way.name: way for way in run.ways}
    assert list(ways) == [
        *(report.NOTHING, report.TEXT, report.FOUND),
        *(f"{report.KV}, repair={repair:g}" for repair in forms.REPAIRS),
        report.WEIGHTS,
        report.BOTH,
    ]
    assert ways[report.NOTHING].right <= 0.25
    for name in (report.TEXT, report.FOUND, f"{report.KV}, repair=0.15", report.WEIGHTS):
        assert ways[name].right >= 0.85, name
    assert ways[report.TEXT].tokens > 20 * 9 > ways[report.FOUND].tokens > ways[report.WEIGHTS].tokens
    assert ways[report.WEIGHTS].tokens == ways[report.NOTHING].tokens
    for way in run.ways:
        assert all(len(times) == 2 and min(times) > 0 for times in (way.first, way.next))
        assert (way.build > 0) == (way.bytes > 0) == (way.form in ("activation", "parametric", "both"))
    assert run.model["known_by_heart"] >= 0.9


def test_the_month_is_lived_through_in_every_way(run: report.Run) -> None:
    assert [one.name for one in run.mixed] == [*report.FIXED, report.SCHEDULER]
    told = run.workload["kinds"]
    assert (told["asked every day"]["asked"], told["changed often"]["changed"], told["deleted"]["deleted"]) == (
        12,
        1,
        1,
    )
    for one in run.mixed:
        assert one.asking > 0
        assert one.right >= 0.75, one.name
        assert {kind: sum(found.values()) for kind, found in one.forms.items()} == {
            "asked every day": 8,
            "changed often": 4,
            "deleted": 3,
        }
    text, blocks, weights, _ = run.mixed
    assert all(set(found) == {"text"} for found in text.forms.values())
    assert all(set(found) == {"activation"} for found in blocks.forms.values())
    assert all(set(found) == {"parametric"} for found in weights.forms.values())


def test_a_run_is_saved_and_read_again(run: report.Run) -> None:
    data = json.loads(json.dumps(report.to_json(run)))
    again = report.from_json(data)
    assert [table.rows for table in report.tables(again)] == [table.rows for table in report.tables(run)]
    assert all(table.rows for table in report.tables(run))
    assert len(data["files"]["facts"]) == len(run.model["weights"]) == 64
    assert not any(fact.text in json.dumps(data) for fact in learned())
    assert "word for word" in report.model_in_words(again)


def test_when_a_form_has_paid_is_told_from_what_it_saves_and_took() -> None:
    text = report.Way(report.TEXT, "text", 1.0, [0.3, 0.1, 0.2], [0.2], 100)
    kept = report.Way(report.KV, "activation", 1.0, [0.1], [0.1], 10, 5, build=1.0)
    assert report.pays(kept, text, 1) == 10
    assert report.pays(kept, text, 10) == 1
    assert report.pays(replace(kept, first=[0.2]), text, 1) == float("inf")
    lines = report.running(report.Run({}, 1, [text, kept], {}, [], 0))
    assert lines[report.TEXT][0] == (1, 2.0)
    assert lines[report.KV][1] == (10, pytest.approx(11.0))


def test_the_scheduler_is_held_to_the_best_fixed_form_that_answers_as_well() -> None:
    def lived(name: str, seconds: float, right: float) -> report.Mixed:
        return report.Mixed(name, seconds, 0.0, right, 0.0)

    one, two, three = report.FIXED
    months = [lived(one, 10, 1.0), lived(two, 5, 0.5), lived(three, 20, 1.0), lived(report.SCHEDULER, 9, 0.99)]
    assert report.within(report.Run({}, 1, [], {}, months, 0)) == pytest.approx(0.9)


def test_the_kinds_of_the_workload_have_people_of_their_own() -> None:
    needed = sum(-(-kind.facts // 4) for _, kind in mixed.WORKLOAD.kinds)
    assert needed <= len(STRANGERS)


def test_the_example_of_the_page_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "forms.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    program: dict[str, Any] = {}
    examples = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(examples) >= 5
    for example in examples:
        exec(compile(example, "docs/forms.md", "exec"), program)  # noqa: S102 - our own examples
    expected = [line.partition("  # ")[2] for example in examples for line in example.split("\n") if "  # " in line]
    assert capsys.readouterr().out.splitlines() == expected
