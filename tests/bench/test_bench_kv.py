"""`mnemos bench kv`: its texts, by hand; what it counts, against a model without a cache; its report and its page."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from dataclasses import replace
from itertools import pairwise
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
from transformers import LlamaForCausalLM  # noqa: E402

from mnemos.activation.cache import MemoryCache  # noqa: E402
from mnemos.activation.cache.policy import POLICIES  # noqa: E402
from mnemos.bench.caches import kv, learning, tasks  # noqa: E402
from mnemos.bench.caches.answers import answers  # noqa: E402
from mnemos.bench.caches.contenders import SETTINGS, SPREAD, STORINGS, contenders  # noqa: E402
from mnemos.bench.caches.learning import Course  # noqa: E402
from mnemos.bench.caches.speed import speeds  # noqa: E402
from mnemos.bench.caches.texts import CLOSE, FIRST_WORD, NAMED, OPEN, Shape, Texts, draw  # noqa: E402
from mnemos.bench.forms.fixtures import bundled, folder  # noqa: E402
from mnemos.bench.forms.people import STRANGERS, facts  # noqa: E402
from mnemos.bench.forms.recipes import Recipe  # noqa: E402
from mnemos.bench.forms.reuse import Shape as Size  # noqa: E402
from mnemos.bench.forms.tasks import ASK, BOS, FIRST_KEY, FIRST_VALUE  # noqa: E402
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


def drawn(name: str, count: int = 20, seed: int = 0) -> Texts:
    return draw(tasks.TASKS[name], count, torch.Generator().manual_seed(seed))


def pairs_of(ids: list[int]) -> dict[int, tuple[int, int]]:
    """The last value of each key of a text, and where its key stands."""
    found = {}
    for at, (key, value) in enumerate(pairwise(ids)):
        if FIRST_KEY <= key < FIRST_VALUE <= value < OPEN:
            found[key] = (value, at)
    return found


@pytest.mark.parametrize("name", list(tasks.TASKS))
def test_texts_ask_for_what_stands_in_them_last(name: str) -> None:
    shape, texts = tasks.TASKS[name], drawn(name)
    assert texts.prompt.shape == (20, shape.tokens)
    for prompt, asked, needed in zip(texts.prompt.tolist(), texts.asked.tolist(), texts.needed.tolist(), strict=True):
        text = prompt[: prompt.index(NAMED)] if shape.named else prompt
        known = pairs_of(text)
        assert (prompt[0], asked[0]) == (BOS, ASK)
        assert len(known) == shape.pairs * (1 + shape.scratch)
        keys = asked[1::2]
        assert len(set(keys)) == shape.asked
        assert len(keys) == shape.asked * shape.rounds
        assert [known[key][0] for key in keys] == asked[2::2]
        places = {place for key in keys for place in (known[key][1], known[key][1] + 1)}
        assert set(needed) == places
        if shape.named:
            assert set(prompt[prompt.index(NAMED) + 1 :]) == set(keys)


def test_later_values_replace_earlier_ones() -> None:
    texts = drawn("update")
    for prompt, asked in zip(texts.prompt.tolist(), texts.asked.tolist(), strict=True):
        text = prompt[: prompt.index(NAMED)]
        assert all(text.count(key) == 2 for key in asked[1::2])
        earlier = {key: text[text.index(key) + 1] for key in asked[1::2]}
        assert any(earlier[key] != value for key, value in zip(asked[1::2], asked[2::2], strict=True))


def test_the_latest_are_asked_for_where_that_is_the_task() -> None:
    texts = drawn("latest")
    for prompt, asked in zip(texts.prompt.tolist(), texts.asked.tolist(), strict=True):
        by_place = sorted(pairs_of(prompt).items(), key=lambda item: item[1][1])
        assert {key for key, _ in by_place[-4:]} == set(asked[1::2])


def test_lists_hold_what_nobody_asks_for() -> None:
    texts = drawn("lists")
    for prompt, asked in zip(texts.prompt.tolist(), texts.asked.tolist(), strict=True):
        depth = 0
        for token in prompt:
            depth += (token == OPEN) - (token == CLOSE)
            assert 0 <= depth <= 1
            assert not (depth and token in asked[1::2])
        assert (prompt.count(OPEN), depth) == (6, 0)


def test_labels_are_values_behind_named_and_asked_keys() -> None:
    texts = drawn("recall")
    for whole, labels in zip(texts.whole.tolist(), texts.labels().tolist(), strict=True):
        known = pairs_of(whole)
        told = [(whole[at - 1], label) for at, label in enumerate(labels) if label != -100]
        assert len(told) == 8
        assert all(known[key][0] == value for key, value in told)


def test_the_same_seed_draws_the_same_and_filler_comes_from_given_words() -> None:
    assert torch.equal(drawn("needles").whole, drawn("needles").whole)
    assert not torch.equal(drawn("needles").whole, drawn("needles", seed=1).whole)
    words = torch.arange(2000) % 64
    texts = draw(Shape(4, 40), 5, torch.Generator().manual_seed(0), words)
    for prompt in texts.prompt.tolist():
        filler = [token - FIRST_WORD for token in prompt if token >= FIRST_WORD]
        assert len(filler) == 40
        assert all((one + 1) % 64 == two for one, two in pairwise(filler))


def test_files_of_filler_are_read_and_told_by_their_sums(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.txt", tmp_path / "b.txt.gz"
    plain.write_text("The cat, the Cat. " * 200, encoding="utf-8")
    packed.write_bytes(gzip.compress(b"cat " * 300))
    words, sums = tasks.read_words([plain, packed])
    assert words.shape == (200 * 6 + 300,)
    assert words[1] == words[4] == words[-1]
    assert words[0] == words[3]
    assert set(sums) == {"a.txt", "b.txt.gz"}
    assert sums["a.txt"] == hashlib.sha256(plain.read_bytes()).hexdigest()
    for bad in ([tmp_path / "none.txt"], [tmp_path / "few.txt"]):
        (tmp_path / "few.txt").write_text("few words", encoding="utf-8")
        with pytest.raises(InvalidInput, match="filler"):
            tasks.read_words(bad)


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
    for at in range(2, 9, 2):
        said = model(input_ids=texts.whole, use_cache=False).logits[:, texts.prompt.shape[1] :].argmax(-1)
        texts.asked[:20, at] = said[:20, at - 1]
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
    assert whole.most == pytest.approx(held.bytes / 4, rel=0.01)
    assert whole.bytes < whole.most
    assert part.most < 0.4 * whole.most
    coded = answers(model, "recall", texts, by_name["full"], 1.0, ("int8", STORINGS["int8"]()))
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
    assert len(told) == 3 * (6 + len(STORINGS)) + 6
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
    assert [one.policy for one in measured.speeds] == [report.LIBRARY, *measured.policies]
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
    whole, full, part = speeds(size, tokens=400, steps=2, only=lambda name: name in ("full", "snapkv"))
    per_token = 2 * 2 * 16 * 4
    assert whole.bytes >= 400 * per_token
    assert full.bytes >= 400 * per_token
    assert part.bytes < 0.3 * full.bytes
    assert (whole.share, full.share, part.share) == (1.0, 1.0, 0.12)
    assert whole.times == 1


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
