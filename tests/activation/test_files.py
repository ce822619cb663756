"""A block that was written is the block that is read, for the same model; nothing else is ever read as one."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from models_built import FAMILIES, build, tokens
from safetensors.torch import load_file, save_file
from tokenizers_built import words

from mnemos import InvalidInput
from mnemos.activation.blocks import Block, BlockDamaged, BlockRefused, read_block
from mnemos.activation.files import described, load, save
from mnemos.activation.fingerprint import Fingerprint, fingerprint_of
from mnemos.activation.models import Decoder
from mnemos.activation.quantising import STORAGES, Storage

IDS = tokens(37, 1)


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(build(FAMILIES["llama"]()))


@pytest.fixture(scope="module")
def own(decoder: Decoder) -> Fingerprint:
    return fingerprint_of(decoder.model, words())


@pytest.fixture(scope="module")
def block(decoder: Decoder, own: Fingerprint) -> Block:
    return read_block(decoder, own, IDS, after=(0, 5))


def test_a_block_is_what_the_model_made_of_it_after_the_sinks(decoder: Decoder, block: Block) -> None:
    alone = decoder.read(torch.cat([torch.tensor([0, 5]), IDS]))
    places = torch.arange(2, 2 + len(IDS))
    for (keys, values), (all_keys, all_values) in zip(
        decoder.placed(block.layers, places, 2 + len(IDS)), alone, strict=True
    ):
        assert (keys - all_keys[:, 2:]).abs().max() < 1e-5
        assert torch.equal(values, all_values[:, 2:])
    assert len(block) == len(IDS)
    assert block.seconds > 0
    assert block.bytes == 4 * 2 * 2 * len(IDS) * 8 * 4
    assert len({kept.untyped_storage().data_ptr() for pair in block.layers for kept in pair}) == 8, "only its own bytes"


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt-neox", "qwen2 sliding"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_what_is_read_is_what_was_written_bit_by_bit(family: str, dtype: torch.dtype, tmp_path: Path) -> None:
    decoder = Decoder(build(FAMILIES[family]()).to(dtype))
    own = fingerprint_of(decoder.model, words())
    block = read_block(decoder, own, IDS, after=(3,))
    save(block, tmp_path / "block")
    again = load(tmp_path / "block", own, ids=IDS, after=(3,))
    assert torch.equal(again.ids, IDS)
    assert again.ids.dtype == torch.int64
    assert (again.after, again.fingerprint, again.seconds) == ((3,), own, block.seconds)
    for kept, written in zip(again.layers, block.layers, strict=True):
        for mine, theirs in zip(kept, written, strict=True):
            assert mine.dtype == dtype
            assert torch.equal(mine, theirs)


@pytest.mark.parametrize("storage", ["int8", "int4"])
def test_fewer_bits_come_back_in_the_models_type(
    storage: Storage, block: Block, own: Fingerprint, tmp_path: Path
) -> None:
    save(block, tmp_path / "block", storage)
    again = load(tmp_path / "block", own)
    for kept, written in zip(again.layers, block.layers, strict=True):
        for mine, theirs in zip(kept, written, strict=True):
            assert mine.dtype == theirs.dtype
            assert 0 < (mine - theirs).abs().max() < theirs.abs().max() / {"int8": 100, "int4": 6}[storage]


def test_fewer_bits_are_fewer_bytes(block: Block, tmp_path: Path) -> None:
    sizes = []
    for storage in STORAGES:
        save(block, tmp_path / storage, storage)
        tensors = load_file(tmp_path / storage)
        sizes.append(sum(kept.nbytes for kept in tensors.values()))
        assert described(tmp_path / storage) == (block.fingerprint, storage, len(IDS))
    assert sizes[1] < 0.5 * sizes[0]
    assert sizes[2] < 0.65 * sizes[1]


def test_one_block_is_one_file_byte_by_byte(block: Block, own: Fingerprint, tmp_path: Path) -> None:
    for storage in STORAGES:
        save(block, tmp_path / "one", storage)
        save(load(tmp_path / "one", own) if storage == "full" else block, tmp_path / "other", storage)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_file_can_be_replaced_while_it_is_mapped(block: Block, own: Fingerprint, tmp_path: Path) -> None:
    save(block, tmp_path / "block")
    again = load(tmp_path / "block", own, check=False)
    save(again, tmp_path / "block", "int4")
    assert all(torch.equal(mine[0], theirs[0]) for mine, theirs in zip(again.layers, block.layers, strict=True))
    assert [file.name for file in tmp_path.iterdir()] == ["block"]


def test_a_change_to_what_was_read_does_not_reach_the_file(block: Block, own: Fingerprint, tmp_path: Path) -> None:
    save(block, tmp_path / "block")
    written = (tmp_path / "block").read_bytes()
    again = load(tmp_path / "block", own)
    for keys, values in again.layers:
        keys.zero_()
        values.zero_()
    assert (tmp_path / "block").read_bytes() == written
    assert torch.equal(load(tmp_path / "block", own).layers[0][0], block.layers[0][0])


def test_parts_of_larger_tensors_are_written_alone(decoder: Decoder, own: Fingerprint, tmp_path: Path) -> None:
    both = torch.randn(2, 2, 2 * len(IDS), 8)
    cut = both[:, :, : len(IDS)]
    shared = Block(IDS, [(cut[0], cut[1]), (cut[1], cut[0])], own)
    save(shared, tmp_path / "block")
    again = load(tmp_path / "block", own)
    assert torch.equal(again.layers[1][0], cut[1])
    assert (tmp_path / "block").stat().st_size < both.nbytes + 8000


def test_a_block_of_another_model_is_refused_and_each_difference_named(block: Block, tmp_path: Path) -> None:
    save(block, tmp_path / "block")
    scaled = build(FAMILIES["llama linear"](), seed=1).to(torch.bfloat16)
    with pytest.raises(BlockRefused) as refused:
        load(tmp_path / "block", fingerprint_of(scaled, words("more")))
    said = " ".join(refused.value.differences)
    for part in ("weights", "tokenizer", "dtype", "float32", "bfloat16", "rope_type was default, is linear"):
        assert part in said
    assert isinstance(refused.value, InvalidInput)
    assert all(difference in str(refused.value) for difference in refused.value.differences)


def test_a_block_of_another_text_or_after_other_sinks_is_refused(
    block: Block, own: Fingerprint, tmp_path: Path
) -> None:
    save(block, tmp_path / "block")
    other = IDS.clone()
    other[7] += 1
    with pytest.raises(BlockRefused, match="token ids: made of 37, asked for 37, alike in the first 7"):
        load(tmp_path / "block", own, ids=other)
    with pytest.raises(BlockRefused, match="alike in the first 20"):
        load(tmp_path / "block", own, ids=IDS[:20])
    with pytest.raises(BlockRefused, match="read after 2 sinks, asked for one after 0"):
        load(tmp_path / "block", own, after=())
    assert len(load(tmp_path / "block", own, ids=IDS, after=(0, 5))) == 37


def test_what_is_missing_or_foreign_is_told_so(own: Fingerprint, tmp_path: Path) -> None:
    with pytest.raises(BlockDamaged, match="nothing cannot be read"):
        load(tmp_path / "nothing", own)
    with pytest.raises(BlockDamaged, match="cannot be read"):
        load(tmp_path, own)
    for foreign in (b"", b"words", b"\x80\x04K\x01." * 50, bytes(5000), b"SQLite format 3\0" * 100):
        (tmp_path / "foreign").write_bytes(foreign)
        with pytest.raises(BlockDamaged, match="foreign"):
            load(tmp_path / "foreign", own)
    save_file({"weight": torch.ones(3)}, tmp_path / "adapter", {"format": "pt"})
    with pytest.raises(BlockDamaged, match="no block"):
        load(tmp_path / "adapter", own)
    save_file({"weight": torch.ones(3)}, tmp_path / "hollow", {"mnemos.block.1": "{}"})
    with pytest.raises(BlockDamaged, match="its header is not the one written"):
        load(tmp_path / "hollow", own)
    with pytest.raises(BlockDamaged, match="its header is not the one written"):
        described(tmp_path / "hollow")
    good = own.to_json()
    runs = [[0, [2, 3, 8], [2, 3, 8]]], [[3, [2, 3, 8], [2, 3, 8]]], [], [[1, [2, 3, 8]]], 3, [[1, [2, 3], [2, 3]]]
    bodies = [{"fingerprint": good, "storage": "full", "sums": {}, "seconds": 0, "runs": one} for one in runs]
    for header in ("[]", "{", "3", '{"fingerprint": 3}', *map(json.dumps, bodies)):
        whole = sha256(header.encode()).hexdigest()[:16] + header
        save_file({}, tmp_path / "hollow", {"mnemos.block.1": whole})
        with pytest.raises(BlockDamaged, match="not put together"):
            load(tmp_path / "hollow", own)


@pytest.mark.parametrize("storage", STORAGES)
def test_a_file_that_is_cut_off_anywhere_is_told_so(
    storage: Storage, block: Block, own: Fingerprint, tmp_path: Path
) -> None:
    save(block, tmp_path / "block", storage)
    written = (tmp_path / "block").read_bytes()
    for length in (*range(0, 4000, 97), *range(4000, len(written), 1999), len(written) - 1):
        (tmp_path / "cut").write_bytes(written[:length])
        with pytest.raises(BlockDamaged, match="cut cannot be read"):
            load(tmp_path / "cut", own)


@pytest.mark.parametrize("storage", STORAGES)
def test_a_flipped_bit_anywhere_is_told_so(storage: Storage, block: Block, own: Fingerprint, tmp_path: Path) -> None:
    save(block, tmp_path / "block", storage)
    written = (tmp_path / "block").read_bytes()
    begins = 8 + int.from_bytes(written[:8], "little")
    for place in (begins, begins + 301, (begins + len(written)) // 2, len(written) - 1):
        (tmp_path / "flipped").write_bytes(written[:place] + bytes([written[place] ^ 4]) + written[place + 1 :])
        with pytest.raises(BlockDamaged, match="flipped is damaged"):
            load(tmp_path / "flipped", own)
        if storage == "full":
            load(tmp_path / "flipped", own, check=False)
    for place in range(0, begins, 29):
        (tmp_path / "flipped").write_bytes(written[:place] + bytes([written[place] ^ 4]) + written[place + 1 :])
        with pytest.raises(BlockDamaged, match="flipped"):
            load(tmp_path / "flipped", own)


def test_a_block_that_is_not_finite_is_not_written(block: Block, own: Fingerprint, tmp_path: Path) -> None:
    for wrong in (torch.nan, torch.inf, -torch.inf):
        values = block.layers[0][1].clone()
        values[1, 3, 2] = wrong
        for storage in STORAGES:
            with pytest.raises(InvalidInput, match="NaN or infinite"):
                save(Block(IDS, [(block.layers[0][0], values)], own), tmp_path / "block", storage)
    with pytest.raises(InvalidInput, match="choose one of full, int8, int4"):
        save(block, tmp_path / "block", "int2")  # type: ignore[arg-type]
    assert not (tmp_path / "block").exists()


def test_blocks_that_do_not_hold_together_are_refused(block: Block, own: Fingerprint) -> None:
    keys, values = block.layers[0]
    for ids, layers, field in (
        (IDS[:5], [(keys, values)], "layers[0]"),
        (IDS, [(keys, values), (keys, values[:, :5])], "layers[1]"),
        (IDS, [(keys[0], values[0])], "layers[0]"),
        (IDS, [], "layers"),
        (IDS[:0], [(keys[:, :0], values[:, :0])], "ids"),
        (IDS.float(), [(keys, values)], "ids"),
    ):
        with pytest.raises(InvalidInput) as refused:
            Block(ids, layers, own)
        assert refused.value.field == field


def mapped(path: Path) -> dict[str, int]:
    """Bytes of a file that this process holds: fetched (`Rss`), and copied (`Anonymous`)."""
    held: dict[str, int] = {}
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, _, rest = line.partition(":")
        if not rest.endswith(" kB"):
            inside = line.endswith(str(path)) if "-" in line.split()[0] else inside
        elif inside:
            held[name] = held.get(name, 0) + 1024 * int(rest.split()[0])
    return held


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the system does not tell what is mapped")
def test_bytes_are_fetched_when_they_are_used_and_never_copied(own: Fingerprint, tmp_path: Path) -> None:
    ids = tokens(1024, 2)
    path = tmp_path / "block"
    save(Block(ids, [(torch.randn(2, 1024, 128), torch.randn(2, 1024, 128)) for _ in range(4)], own), path)
    block = load(path, own, check=False)
    loaded = mapped(path)
    assert loaded["Size"] >= block.bytes
    assert loaded["Rss"] < 0.3 * block.bytes, "hardly any byte is fetched by loading"
    assert all(kept.sum().isfinite() for pair in block.layers for kept in pair)
    used = mapped(path)
    assert used["Rss"] > 0.95 * block.bytes, "all of them are once they are used"
    assert used["Anonymous"] == 0, "and they stay pages of the file"
    block.layers[1][0].zero_()
    assert 0 < mapped(path)["Anonymous"] < 0.2 * block.bytes, "only what is changed is copied"
    del block
    assert mapped(path) == {}, "nothing is held once the block is gone"
