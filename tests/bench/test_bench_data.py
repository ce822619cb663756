"""The reader: what it reads, and how it says what is wrong."""

import copy
import hashlib
from datetime import UTC, datetime

import pytest
from bench_conversations import conversation, write

from mnemos.bench.data import read
from mnemos.errors import InvalidInput


@pytest.mark.parametrize("name", ["tiny.jsonl", "tiny.jsonl.gz"])
def test_reads_plain_and_gzip(tmp_path, name):
    path = write(tmp_path / name, conversation())
    found = read(path)
    assert found.name == name
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    (one,) = found.conversations
    assert (one.dataset, one.id, one.language, len(one.turns), len(one.questions)) == ("tiny", "ana-ben", "en", 10, 5)
    assert one.turns[3].happened_at == datetime(2024, 6, 11, 18, 30, tzinfo=UTC)
    assert one.questions[1].evidence == ("t3", "t5")
    assert one.last_time == datetime(2024, 7, 20, 12, tzinfo=UTC)


def test_times_keep_their_zone_and_may_be_unknown(tmp_path):
    item = conversation()
    item["turns"][0]["happened_at"] = "2024-05-01T09:00:00+02:00"
    item["turns"][1]["happened_at"] = None
    first, second = read(write(tmp_path / "a.jsonl", item)).conversations[0].turns[:2]
    assert first.happened_at == datetime(2024, 5, 1, 7, tzinfo=UTC)
    assert second.happened_at is None


def test_no_times_at_all(tmp_path):
    item = conversation()
    for turn in item["turns"]:
        turn["happened_at"] = None
    assert read(write(tmp_path / "a.jsonl", item)).conversations[0].last_time is None


def broken(change):
    item = copy.deepcopy(conversation())
    change(item)
    return item


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda item: item.pop("turns"), "turns"),
        (lambda item: item.update(questions={}), "questions"),
        (lambda item: item.update(dataset=" "), "dataset"),
        (lambda item: item["turns"][2].pop("text"), "turns[2].text"),
        (lambda item: item["turns"].insert(1, "hello"), "turns[1]"),
        (lambda item: item["turns"][1].update(id="t0"), "turns"),
        (lambda item: item["turns"][4].update(happened_at="tomorrow"), "turns[4].happened_at"),
        (lambda item: item["turns"][4].update(happened_at=20240501), "turns[4].happened_at"),
        (lambda item: item["questions"][0].update(text=""), "questions[0].text"),
        (lambda item: item["questions"][0].update(evidence="t0"), "questions[0].evidence"),
        (lambda item: item["questions"][0].update(evidence=["t99"]), "questions[0].evidence"),
        (lambda item: item["questions"][1].update(id="q0"), "questions"),
    ],
)
def test_names_the_line_and_the_field(tmp_path, change, field):
    path = write(tmp_path / "bad.jsonl", conversation(), broken(change))
    with pytest.raises(InvalidInput) as caught:
        read(path)
    assert caught.value.field.startswith("bad.jsonl:2")
    assert caught.value.field.endswith(field)
    assert caught.value.mend


@pytest.mark.parametrize("body", [b"", b"\n\n", b"[1]\n", b"not json\n", b"\xff\xfe\n", b"\x1f\x8bgarbage"])
def test_files_that_hold_no_conversations(tmp_path, body):
    path = tmp_path / "odd.jsonl"
    path.write_bytes(body)
    with pytest.raises(InvalidInput, match=r"odd\.jsonl"):
        read(path)


def test_truncated_gzip_and_missing_file(tmp_path):
    path = write(tmp_path / "cut.jsonl.gz", conversation())
    path.write_bytes(path.read_bytes()[:-20])
    for name in (path, tmp_path / "absent.jsonl"):
        with pytest.raises(InvalidInput, match="cannot be read"):
            read(name)
