"""`mnemos bench lm`: its notes and pieces, what is asked, equal sizes, a run small enough to learn, and its report."""

from __future__ import annotations

import gzip
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from mnemos.bench import lm_report as report
from mnemos.bench.results import save
from mnemos.errors import InvalidInput

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
torch.set_num_threads(1)

from mnemos.bench.neural import lm, pages  # noqa: E402
from mnemos.cli import main  # noqa: E402
from mnemos.neural.config import MemoryLMConfig  # noqa: E402
from mnemos.neural.lm import MemoryLM  # noqa: E402

TEXT = b"It was a grey morning, and nobody in the village had seen the post. " * 60
SMALL = lm.Plan(
    width=16, layers=1, heads=2, weights=12_000, length=96, batch=2, steps=2, tested=512, needles=3, notes=1, others=1
)
NOTE = re.compile(rb"<([a-z])=([a-z])>")


@pytest.fixture
def book() -> torch.Tensor:
    return torch.tensor(list(TEXT))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "one.txt").write_bytes(TEXT)
    (tmp_path / "two.txt.gz").write_bytes(gzip.compress(b"Two." + TEXT))
    return [tmp_path / "one.txt", tmp_path / "two.txt.gz"]


def by_seed(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_last_file_is_held_out_and_packed_ones_are_unpacked(files: list[Path]) -> None:
    books = pages.read([files[0], files[0], files[1]])
    assert bytes(books.train.tolist()) == TEXT + TEXT
    assert bytes(books.held.tolist()) == b"Two." + TEXT
    assert list(books.files) == ["one.txt", "two.txt.gz"]


def test_files_that_cannot_be_used_are_refused(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "broken.gz").write_bytes(b"no gzip")
    for wrong in (files[:1], [files[0], tmp_path / "none"], [files[0], tmp_path / "broken.gz"]):
        with pytest.raises(InvalidInput, match="files"):
            pages.read(wrong)
    with pytest.raises(InvalidInput, match="longer"):
        pages.slices(torch.zeros(5), 1, 6, by_seed(0))


def test_in_training_every_note_is_told_twice_in_a_piece_of_the_book(book: torch.Tensor) -> None:
    told = pages.with_notes(book, 20, 120, 4, by_seed(1))
    for row, known in zip(told.ids.tolist(), told.known.tolist(), strict=True):
        found = NOTE.findall(bytes(row))
        places = [one.start() + 3 for one in NOTE.finditer(bytes(row))]
        again = [place for number, place in enumerate(places) if found[number] in found[:number]]
        assert [place for place, is_known in enumerate(known) if is_known] == again
        assert len(row) == 120
        assert len(found) == 8
        assert len(set(found)) == len({name for name, _ in found}) == 4
        assert NOTE.sub(b"", bytes(row)) in TEXT


def test_pieces_full_of_notes_tell_few_often_or_many(book: torch.Tensor) -> None:
    told, counts = pages.full_of_notes(book, 8, 256, by_seed(3)), []
    for row, known in zip(told.ids.tolist(), told.known.tolist(), strict=True):
        found = NOTE.findall(bytes(row))
        counts.append(len(set(found)))
        assert sum(known) == len(found) - len(set(found)) == len(found) - len({name for name, _ in found})
        assert 0.5 * 256 < len(found) * pages.NOTE <= 0.8 * 256
    assert max(counts[:4]) < min(counts[4:])


def test_a_needle_is_told_at_the_beginning_and_asked_for_at_the_end(book: torch.Tensor) -> None:
    for row in pages.needles(book, 20, 240, 3, by_seed(2)).tolist():
        found = [(one.start(), one.groups()) for one in NOTE.finditer(bytes(row))]
        assert len(row) == 240
        assert [place for place, note in found if note == found[-1][1]] == [found[0][0], 240 - pages.NOTE]
        assert found[0][0] + pages.NOTE <= 240 // 8
        assert len({note for _, note in found}) == 4
        assert NOTE.sub(b"", bytes(row)) in TEXT


class Reader(torch.nn.Module):
    """Says of each byte what it was told, or that the next is the same again."""

    def __init__(self, knows: bool) -> None:
        super().__init__()
        self.knows = knows

    def forward(self, ids: torch.Tensor, use_cache: bool = True):  # type: ignore[no-untyped-def]
        said = ids.roll(-1, 1) if self.knows else ids
        return type("Said", (), {"logits": 20.0 * torch.nn.functional.one_hot(said, 256).float()})


def test_who_knows_every_byte_knows_every_note_and_who_knows_none_does_not(book: torch.Tensor) -> None:
    assert lm.recalled(Reader(True), book, SMALL, 192, 0) == 1.0  # type: ignore[arg-type]
    assert lm.recalled(Reader(False), book, SMALL, 192, 0) == 0.0  # type: ignore[arg-type]
    assert lm.loss_at(Reader(True), book, 512, 128) < 1e-3  # type: ignore[arg-type]
    assert lm.loss_at(Reader(False), book, 512, 128) > 10  # type: ignore[arg-type]


def test_a_model_without_memory_of_bytes_predicts_as_an_even_guess(book: torch.Tensor) -> None:
    model = MemoryLM(MemoryLMConfig(256, 8, ["lstm"]))
    torch.nn.init.zeros_(model.say.weight)
    assert lm.loss_at(model, book, 512, 128) == pytest.approx(math.log(256), rel=1e-5)


def test_models_are_of_one_size() -> None:
    for name, mixer in lm.CONTESTANTS.items():
        model = MemoryLM(lm._config(mixer, replace(lm.QUICK, weights=200_000)))
        assert lm.parameters(model) == pytest.approx(200_000, rel=0.01), name


def test_training_learns_a_text_that_repeats_itself(book: torch.Tensor) -> None:
    torch.manual_seed(0)
    plan = replace(SMALL, steps=60, batch=4, width=32, weights=30_000, rate=1e-2)
    model = MemoryLM(lm._config("gated-delta-net", plan))
    before = lm.loss_at(model, book, 512, 128)
    lm.train(model, book, plan, 0, lambda step: None)
    model.train(False)
    assert lm.loss_at(model, book, 512, 128) < before - 2.5


def test_a_run_is_the_same_for_the_same_seed_and_goes_through_json(files: list[Path], tmp_path: Path) -> None:
    run = lm.run(files, SMALL, names=("attention", "titans"))
    again = lm.run(files, SMALL, names=("attention", "titans"))
    untimed = [[replace(one, seconds=0) for one in each.scores] for each in (run, again)]
    assert untimed[0] == untimed[1]
    assert [one.lengths for one in run.scores] == [[96, 192, 384]] * 2
    assert run.scores[0].state == 2 * 384 * 16 + 3 * 48
    save(report.to_json(run), tmp_path / "lm.json")
    assert report.from_json(json.loads((tmp_path / "lm.json").read_text("utf-8"))) == run


def test_the_table_shows_who_forgets() -> None:
    plan = {"bytes": 1000, "length": 256, "notes": 4, "tested": 500, "needles": 8, "others": 3}
    plan |= {"practice": 0.3}
    score = report.Score("lstm", 1000, 50, 1.4, [256, 512], [1.0, math.log(3)], [0.5, 0.0])
    run = report.Run(plan, [score], 0, {})
    assert report.table(run).rows == (("lstm", "2.718", "3.000", "50.0", "0.0", "1,000", "50", "1"),)
    joined = report.merged(run, report.Run(plan, [replace(score, name="gla")], 0, {}))
    assert [one.name for one in joined.scores] == ["lstm", "gla"]
    with pytest.raises(InvalidInput, match="keep"):
        report.merged(run, report.Run({**plan, "bytes": 1}, [score], 0, {}))


def test_the_command_saves_what_it_prints_and_keeps(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lm, "QUICK", SMALL)
    line = ["bench", "lm", *map(str, files), "--quick", "--save", str(tmp_path / "file"), "--keep", "--json"]
    for name in ("lstm", "retnet"):
        done = CliRunner().invoke(main, [*line, "--preset", name])
        assert done.exit_code == 0, done.output
    assert [one["name"] for one in json.loads(done.stdout)["scores"]] == ["lstm", "retnet"]
    assert json.loads((tmp_path / "file").read_text("utf-8")) == json.loads(done.stdout)
    assert CliRunner().invoke(main, ["bench", "lm", str(files[0])]).exit_code == 2
