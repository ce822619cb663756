"""States go to a file and a store and come back the same, and only to the layer that made them."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from mnemos import Mnemos  # noqa: E402
from mnemos.errors import InvalidInput  # noqa: E402
from mnemos.neural.attention import CausalAttention  # noqa: E402
from mnemos.neural.memory import MemoryLayer  # noqa: E402
from mnemos.neural.presets import PRESETS, preset  # noqa: E402
from mnemos.neural.state import (  # noqa: E402
    StateDamaged,
    StateRefused,
    detached,
    digest,
    forked,
    keep,
    kept,
    load,
    reset,
    save,
    size,
)
from mnemos.neural.tree import tensors  # noqa: E402


def layer(name="gated-delta-net", seed=0):
    torch.manual_seed(seed)
    return CausalAttention(8) if name == "attention" else preset(name, 8, heads=2)


def read(memory, length=6, batch=2):
    x = torch.randn(batch, length, 8, generator=torch.Generator().manual_seed(3))
    return memory(x)[1]


@pytest.mark.parametrize("name", [*PRESETS, "attention"])
def test_a_saved_state_comes_back_the_same(name, tmp_path):
    memory = layer(name)
    state = read(memory)
    save(state, tmp_path / "state", memory)
    back = load(tmp_path / "state", memory)
    assert type(back) is type(state)
    assert all(torch.equal(one, other) for one, other in zip(tensors(state), tensors(back), strict=True))
    x = torch.ones(2, 8)
    torch.testing.assert_close(memory.step(x, back)[0], memory.step(x, state)[0], rtol=0, atol=0)


class Bag(MemoryLayer):
    """A layer whose state has every kind of part, and more than ten of one."""

    def start(self, batch):
        return {
            "many": tuple(torch.full((batch, 1), float(i)) for i in range(12)),
            "none": None,
            "list": [torch.ones(1)],
        }


def test_parts_of_a_state_keep_their_order(tmp_path):
    state = Bag().start(1)
    save(state, tmp_path / "state", Bag())
    back = load(tmp_path / "state", Bag())
    assert [one.item() for one in back["many"]] == list(range(12))
    assert back["none"] is None
    assert isinstance(back["list"], list)


def test_the_same_state_makes_the_same_bytes(tmp_path):
    memory = layer()
    for name in "ab":
        save(read(memory), tmp_path / name, memory)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_state_of_other_weights_is_refused(tmp_path):
    save(read(layer()), tmp_path / "state", layer())
    with pytest.raises(StateRefused):
        load(tmp_path / "state", layer(seed=1))
    assert digest(layer()) == digest(layer()) != digest(layer(seed=1))


def test_a_state_of_other_settings_is_refused():
    def made(name, **choices):
        torch.manual_seed(0)
        return preset(name, 8, **choices)

    for name, one, other in [
        ("omega-net", {"window": 3}, {"window": 4}),
        ("titans-mag", {"window": 3}, {"window": 4}),
        ("titans", {"objective": "l2"}, {"objective": "kl"}),
        ("gated-delta-net", {"features": "l2"}, {"features": "softmax"}),
    ]:
        assert digest(made(name, **one)) == digest(made(name, **one)) != digest(made(name, **other))
    assert digest(made("titans", chunk=4)) == digest(made("titans", chunk=8))


def test_a_damaged_file_is_no_state(tmp_path):
    memory = layer()
    with pytest.raises(StateDamaged):
        load(tmp_path / "missing", memory)
    save(read(memory), tmp_path / "state", memory)
    (tmp_path / "short").write_bytes((tmp_path / "state").read_bytes()[:-9])
    with pytest.raises(StateDamaged):
        load(tmp_path / "short", memory)
    from safetensors.torch import save_file

    save_file({"x": torch.ones(1)}, tmp_path / "other")
    with pytest.raises(StateDamaged, match="no state"):
        load(tmp_path / "other", memory)


def test_a_fork_shares_nothing_and_goes_its_own_way():
    memory = layer()
    state = read(memory)
    twice = forked(state, 2)
    assert [one.shape[0] for one in tensors(twice)] == [4] * len(tensors(twice))
    assert all(torch.equal(one[0], one[1]) for one in tensors(twice))
    before = [one.clone() for one in tensors(state)]
    for one in tensors(twice):
        one.zero_()
    assert all(torch.equal(one, other) for one, other in zip(before, tensors(state), strict=True))
    with pytest.raises(InvalidInput, match="times"):
        forked(state, 0)


@pytest.mark.parametrize("name", ["gated-delta-net", "titans", "omega-net"])
def test_a_reset_sequence_has_read_nothing_and_the_others_all(name):
    memory = layer(name)
    state = read(memory)
    after = reset(memory, state, torch.tensor([True, False]))
    for fresh, old, new in zip(tensors(memory.start(2)), tensors(state), tensors(after), strict=True):
        assert torch.equal(new[0], fresh[0])
        assert torch.equal(new[1], old[1])


def test_a_state_that_grows_is_reset_as_a_whole():
    memory = layer("attention")
    with pytest.raises(InvalidInput, match="whole batch"):
        reset(memory, read(memory), torch.tensor([True, False]))


def test_no_gradient_flows_through_what_is_detached():
    state = read(layer())
    assert any(one.requires_grad for one in tensors(state))
    assert not any(one.requires_grad for one in tensors(detached(state)))


def test_the_size_of_a_state_is_that_of_one_sequence():
    memory = layer()
    assert size(memory.start(3)) == 2 * 4 * 4 + 3 * 24


def test_a_store_keeps_a_state_while_its_memories_last():
    memory = layer("titans")
    state = detached(read(memory, batch=1))
    with Mnemos(":memory:") as store:
        ids = [store.add(text)[0].id for text in ("Ana keeps bees.", "The hives stand by the river.")]
        artifact = keep(state, memory, ids, store)
        assert artifact.sources == tuple(ids)
        found = kept(memory, ids, store)
        assert all(torch.equal(one, other) for one, other in zip(tensors(state), tensors(found), strict=True))
        assert kept(memory, ids[::-1], store) is None
        assert kept(layer("titans", seed=5), ids, store) is None
        store.delete(ids[0])
        assert kept(memory, ids, store) is None
        assert store.artifacts.get(artifact.id) is None
