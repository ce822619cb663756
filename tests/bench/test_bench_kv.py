"""`mnemos bench kv`: its texts, by hand; what it counts, against a model without a cache; its report and its page."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnemos.bench import kv_bars
from mnemos.bench import kv_report as report
from mnemos.errors import InvalidInput
from mnemos.rendering import OPENING_LINE

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from click.testing import CliRunner  # noqa: E402
from kv_drawn import drawn  # noqa: E402
from transformers import LlamaForCausalLM  # noqa: E402

from mnemos.activation.cache import MemoryCache  # noqa: E402
from mnemos.activation.cache.policy import POLICIES  # noqa: E402
from mnemos.bench.caches import kv, learning, tasks  # noqa: E402
from mnemos.bench.caches.answers import answers  # noqa: E402
from mnemos.bench.caches.contenders import SETTINGS, SPREAD, STORINGS, contenders  # noqa: E402
from mnemos.bench.caches.learning import Course  # noqa: E402
from mnemos.bench.caches.speed import speeds  # noqa: E402
from mnemos.bench.forms.fixtures import bundled, folder  # noqa: E402
from mnemos.bench.forms.people import STRANGERS, facts  # noqa: E402
from mnemos.bench.forms.recipes import Recipe  # noqa: E402
from mnemos.bench.forms.reuse import Shape as Size  # noqa: E402
from mnemos.bench.forms.training import NotLearned  # noqa: E402
from mnemos.cli.app import main  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SMALL = Recipe("update", layers=2, width=16, heads=1, stages=(2,), batch=4, passed=9.0, learned=9.0, settling=2, most=9)
QUICK = Course(SMALL, tasks=("recall",), filler=(0.0, 1.0), batch=2, passed=9.0, learned=9.0, settling=2, most=9)
"""Learns nothing in a few steps."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNEMOS_BENCH_CACHE", str(tmp_path / "models"))
    torch.set_num_threads(1)


def test_the_reader_is_made_once_from_a_model_with_fewer_words() -> None:
    told: list[tuple[int, int]] = []
    first = learning.reader(QUICK, lambda step, stage, worst: told.append((step, stage)))
    assert told[-3:] == [(0, 0), (1, 1), (2, 1)]
    again = learning.reader(QUICK, lambda *_: pytest.fail("it was kept"))
    for name, weight in first.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name
    assert {path.stem for path in folder().iterdir()} == {QUICK.key, SMALL.key}
    with pytest.raises(NotLearned, match="after 3 steps"):
        learning.reader(replace(QUICK, learned=0.0, most=3))


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    made = LlamaForCausalLM(QUICK.config())
    made.train(False)
    return made


def test_every_policy_is_measured_and_every_setting_is_used() -> None:
    assert {one.policy for one in contenders()} == set(POLICIES)
    assert [one.name for one in contenders()][:3] == list(report.ENDS)
    assert set(SETTINGS) <= set(POLICIES)
    assert set(kv_bars.HOME) <= {one.name for one in contenders()}
    assert set(kv_bars.HOME.values()) <= set(tasks.TASKS)
    assert set(SPREAD) <= {one.name for one in contenders()}


def test_what_is_counted_is_what_the_model_says_without_a_cache(model: LlamaForCausalLM) -> None:
    texts = drawn("recall", 30)
    tokens = texts.prompt.shape[1]
    for at in range(2, 9, 2):
        said = model(input_ids=texts.whole, use_cache=False).logits[:, tokens:].argmax(-1)
        texts.asked[:20, at] = texts.labels[:20, tokens + at] = said[:20, at - 1]
    wanted = (said[:, 1:-1:2] == texts.asked[:, 2::2]).double().mean(1)
    assert wanted[:20].min() == 1
    score = answers(model, "recall", texts, contenders()[0], 1.0)
    assert 0.6 < score.right < 0.8
    assert score.right == pytest.approx(float(wanted.mean()), abs=1e-5)
    assert score.error == pytest.approx(float(wanted.std(correction=0)) / 30**0.5, abs=1e-5)


def test_bytes_are_those_of_what_is_held(model: LlamaForCausalLM) -> None:
    texts, by_name = drawn("recall", 4), {one.name: one for one in contenders()}
    whole = answers(model, "recall", texts, by_name["full"], 1.0)
    part = answers(model, "recall", texts, by_name["snapkv"], 0.25)
    held = MemoryCache(model, "full")
    with torch.no_grad():
        model(input_ids=texts.whole[:, :-1], past_key_values=held)
    assert whole.most == pytest.approx(held.bytes / 4, rel=0.1)
    assert whole.bytes < whole.most
    assert part.most < 0.4 * whole.most
    coded = answers(model, "recall", texts, by_name["full"], 1.0, ("int8", STORINGS["int8"](model)))
    assert (coded.storing, coded.bytes < 0.7 * whole.bytes) == ("int8", True)


@pytest.fixture(scope="module")
def measured(model: LlamaForCausalLM, tmp_path_factory: pytest.TempPathFactory) -> report.Run:
    text = tmp_path_factory.mktemp("filler") / "text.txt"
    text.write_text("one two three four " * 300, encoding="utf-8")
    size = Size(layers=2, width=32, heads=2, inner=48, vocabulary=60, groups=1)
    some = ("full", "random", "oracle", "snapkv", "longmem", "tim")
    extent = kv.Extent(3, 2, (1.0, 0.25), 96, 2, size, ("recall", "lists", tasks.BOOK), some)
    told: list[str] = []
    run = kv.run(extent, filler=[text], model=model, progress=lambda name, done, total: told.append(name))
    assert len(told) == 3 * (6 + len(STORINGS)) + 6 + 2
    return run


def test_a_run_measures_every_policy_task_and_share(measured: report.Run) -> None:
    exact = [one for one in measured.scores if not one.storing]
    assert len(exact) == len({(one.task, one.policy, one.share) for one in exact}) == 3 * 6 * 2
    coded = {(one.policy, one.share, one.storing) for one in measured.scores if one.storing}
    assert coded == {(policy, share, name) for name in STORINGS for policy, share in (("full", 1), ("snapkv", 0.25))}
    assert list(measured.tasks) == ["recall", "lists", tasks.BOOK]
    assert list(measured.files) == ["text.txt"]
    for one in exact:
        whole = measured.score(one.task, "full", one.share)
        assert whole is not None
        assert one.right == whole.right or one.share < 1 or one.policy in ("tim", "longmem"), "nothing has to go"
    assert measured.readers == [name for name in report_order(measured) if name in {"actqkv", "em-llm", "longmem"}]
    assert [one.policy for one in measured.speeds] == [report.LIBRARY, *measured.policies, "full, int8", "full, int4"]
    assert all(one.step > 0 and one.beside > 0 and one.bytes > 0 for one in measured.speeds)


def report_order(run: report.Run) -> list[str]:
    return [name for name in run.settings if name in POLICIES]


def test_a_run_is_saved_and_read_again(measured: report.Run) -> None:
    data = json.loads(json.dumps(report.to_json(measured)))
    again = report.tables(report.from_json(data))
    assert [table.rows for table in again] == [table.rows for table in report.tables(measured)]
    assert [table["title"] for table in data["tables"]] == [table.title for table in again]
    assert all(table.rows for table in again)
    with pytest.raises(InvalidInput, match="mnemos bench kv"):
        report.from_json({**data, "format": 99})


def test_kept_keys_are_timed_beside_the_librarys_cache() -> None:
    size = Size(layers=2, width=32, heads=2, inner=48, vocabulary=60, groups=1)
    whole, full, part, int8, int4 = speeds(size, tokens=400, steps=2, only=lambda name: name in ("full", "snapkv"))
    per_token = 2 * 2 * 16 * 4
    assert whole.bytes >= 400 * per_token
    assert full.bytes >= 400 * per_token
    assert part.bytes < 0.3 * full.bytes
    assert (whole.share, full.share, part.share) == (1.0, 1.0, 0.12)
    assert whole.times == 1
    assert full.bytes > int8.bytes > int4.bytes


def test_the_examples_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "cache-policies.md").read_text(encoding="utf-8")
    model, tokenizer = bundled()
    model.save_pretrained(tmp_path / "my-model")
    tokenizer.save_pretrained(tmp_path / "my-model")
    told = facts(STRANGERS, random.Random(1), 24)
    lines = [f"[BOS]{OPENING_LINE}", *(f"{fact.text}\n" for fact in told)]
    (tmp_path / "notes.txt").write_text("".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    program: dict[str, Any] = {}
    examples = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(examples) >= 3
    known = dict(POLICIES)
    try:
        for example in examples:
            exec(compile(example, "docs/cache-policies.md", "exec"), program)  # noqa: S102 - our own examples
    finally:
        POLICIES.clear()
        POLICIES.update(known)
    expected = [line.partition("  # ")[2] for example in examples for line in example.split("\n") if " # " in line]
    assert capsys.readouterr().out.splitlines() == expected
    for name in POLICIES:
        assert f"`{name}`" in page, f"say what {name} is for in docs/cache-policies.md"


def test_the_command_prints_one_document(
    model: LlamaForCausalLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kv, "reader", lambda *_: model)
    monkeypatch.setattr(kv, "QUICK", kv.Extent(2, 2, (1.0, 0.25), 0, tasks=("recall", tasks.BOOK)))
    line = [
        "bench",
        "kv",
        "--quick",
        "--policy",
        "full",
        "--policy",
        "tova",
        "--save",
        str(tmp_path / "kv.json"),
        "--json",
    ]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert data == json.loads((tmp_path / "kv.json").read_text(encoding="utf-8"))
    assert {(one["task"], one["policy"]) for one in data["scores"]} == {("recall", "full"), ("recall", "tova")}
    assert data["speeds"] == []
