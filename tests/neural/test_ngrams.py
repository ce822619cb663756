"""Engram's addresses against whole numbers in plain Python, its layer against a loop over tokens."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from tokenizers import Regex, normalizers  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from mnemos import InvalidInput  # noqa: E402
from mnemos.neural.ngrams import Addresses, Engram, canonical  # noqa: E402

CANON = torch.tensor([0, 1, 2, 3, 1, 4, 5, 0, 6, 7])


def said(batch: int, length: int, seed: int = 0, vocabulary: int = 10) -> Tensor:
    return torch.randint(vocabulary, (batch, length), generator=torch.Generator().manual_seed(seed))


def engram(**sizes: int) -> Engram:
    torch.manual_seed(0)
    layer = Engram(8, CANON, **{"heads": 2, "rows": 30, "row_dim": 4, **sizes}).double()
    torch.nn.init.normal_(layer.taps, std=0.5)
    return layer


def test_tokens_that_say_the_same_share_an_id() -> None:
    texts = ["Ana", " ana", "ÁNA", "\uff21na", "an", "\ufffd", "\ufffd", " ", "\n", "", "\u0301"]
    ids = canonical(texts).tolist()
    assert ids == [0, 0, 0, 0, 1, 2, 3, 4, 4, 5, 6]


def test_what_tokens_say_is_what_a_tokenizers_normalisers_make_of_them() -> None:
    steps = [normalizers.NFKC(), normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]
    spaces = normalizers.Replace(Regex(r"[ \t\r\n]+"), " ")
    inside = [
        "İstanbul",
        "ﬁne",
        "ＡＢＣ",
        "é",
        "नमस्ते",
        "ÅÄö",
        "½",
        "a\tb",
        "Straße",
        "ΣΑΣ",
        "x\u20dd",
        "\u00a0y",
        "  z ",
    ]
    texts = [*inside, *(text.upper() for text in inside), *(f" {text}" for text in inside)]
    said = [normalizers.Sequence([*steps, spaces, normalizers.Strip()]).normalize_str(text) for text in texts]
    seen: dict[str, int] = {}
    assert canonical(texts).tolist() == [seen.setdefault(text, len(seen)) for text in said]


@pytest.mark.parametrize("order", [2, 3, 4])
def test_addresses_are_the_sums_of_plain_numbers(order: int) -> None:
    hashing = Addresses(CANON, order=order, heads=3, rows=20, seed=5)
    ids = said(2, 7)
    start = torch.full((2, order - 1), hashing.nothing)
    places, _ = hashing(ids, start)
    primes, factors = hashing.primes.flatten().tolist(), hashing.factors.tolist()
    for row in range(2):
        known = [8] * (order - 1) + [int(CANON[one]) for one in ids[row]]
        for t in range(7):
            want, number = [], 0
            for n in range(2, order + 1):
                mixed = 0
                for back in range(n):
                    mixed ^= known[t + order - 1 - back] * factors[back]
                for _ in range(3):
                    want.append(mixed % primes[number] + sum(primes[:number]))
                    number += 1
            assert places[row, t].tolist() == want
    assert hashing.total == sum(primes)


def test_primes_are_prime_and_differ_and_factors_are_odd_and_never_overflow() -> None:
    hashing = Addresses(torch.arange(100_000), order=3, heads=8, rows=1000)
    primes = hashing.primes.flatten().tolist()
    assert len(set(primes)) == 16
    assert primes[0] == 1009, "the first prime from 1000 on"
    assert all(prime % small for prime in primes for small in range(2, 33))
    assert all(factor % 2 and 0 < factor * 100_000 < 2**63 for factor in hashing.factors.tolist())


def test_an_address_knows_the_last_tokens_alone() -> None:
    hashing = Addresses(CANON, order=3)
    ids = said(1, 12)
    other = ids.clone()
    other[0, 4] = (other[0, 4] + 1) % 10
    before = torch.full((1, 2), hashing.nothing)
    (one, _), (two, _) = hashing(ids, before), hashing(other, before)
    changed = (one != two).any(-1)[0].nonzero().flatten().tolist()
    assert changed == [4, 5, 6]
    pairs = (one != two).view(12, 2, 8)
    assert not pairs[6, 0].any(), "the pair that ends two tokens later is the same"


def test_two_ngrams_meet_in_one_head_and_never_in_all() -> None:
    hashing = Addresses(torch.arange(200), order=2, heads=4, rows=500)
    firsts = torch.arange(200).view(-1, 1)
    everything = torch.cat([hashing(torch.full((200, 1), n), firsts)[0][:, 0] for n in range(50)])
    for head in range(4):
        found = everything[:, head].unique()
        assert 0.9 < len(found) / int(hashing.primes[0, head]) <= 1, "10,000 pairs fill a head"
    assert len(everything.unique(dim=0)) == 10_000


@pytest.mark.parametrize("order", [2, 3])
def test_the_layer_is_the_loop(order: int) -> None:
    layer = engram(order=order)
    x, ids = torch.randn(2, 9, 8, dtype=torch.float64), said(2, 9)
    got, _ = layer(x, ids)

    def rms(vector: Tensor) -> Tensor:
        return vector / (vector.square().mean() + torch.finfo(vector.dtype).eps).sqrt()

    for row in range(2):
        places, _ = layer.addresses(ids[row : row + 1], layer.start(1).before)
        normed: list[Tensor] = []
        for t in range(9):
            e = torch.cat([layer.rows.weight[place] for place in places[0, t]])
            z = rms(layer.to_key.weight @ e) @ rms(x[row, t]) / 8**0.5
            value = torch.sigmoid(z.sign() * z.abs().sqrt()) * (layer.to_value.weight @ e)
            normed.append(rms(value))
            near = torch.zeros(8, dtype=torch.float64)
            for tap in range(4):
                if (at := t - (3 - tap) * order) >= 0:
                    near += layer.taps[:, 0, tap] * normed[at]
            assert torch.allclose(got[row, t], value + F.silu(near), atol=1e-10)


def test_pieces_and_steps_are_the_whole_and_no_state_is_changed() -> None:
    layer = engram()
    x, ids = torch.randn(2, 11, 8, dtype=torch.float64), said(2, 11)
    whole, end = layer(x, ids)
    first, state = layer(x[:, :4], ids[:, :4])
    kept = state.before.clone(), state.tail.clone()
    rest, later = layer(x[:, 4:], ids[:, 4:], state)
    assert torch.allclose(torch.cat([first, rest], 1), whole, atol=1e-12)
    walked = layer.start(2)
    for t in range(11):
        y, walked = layer.step(x[:, t], ids[:, t], walked)
        assert torch.allclose(y, whole[:, t], atol=1e-12)
    for one in (later, walked):
        assert torch.equal(one.before, end.before)
        assert torch.allclose(one.tail, end.tail)
    assert torch.equal(kept[0], state.before)
    assert torch.equal(kept[1], state.tail)


def test_at_first_the_gated_value_is_all_that_is_added() -> None:
    layer = Engram(8, CANON)
    x, ids = torch.randn(1, 5, 8), said(1, 5)
    start = layer.start(1)
    told = start._replace(tail=torch.randn_like(start.tail))
    assert torch.equal(layer(x, ids, start)[0], layer(x, ids, told)[0])
    torch.nn.init.normal_(layer.taps)
    assert not torch.allclose(layer(x, ids, start)[0], layer(x, ids, told)[0])


def test_what_is_loaded_has_the_same_addresses() -> None:
    layer, other = Engram(8, CANON, seed=1), Engram(8, CANON, seed=2)
    x, ids = torch.randn(1, 5, 8), said(1, 5)
    assert not torch.equal(
        layer.addresses(ids, layer.start(1).before)[0], other.addresses(ids, other.start(1).before)[0]
    )
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x, ids)[0], layer(x, ids)[0])


def test_gradients_are_those_of_differences() -> None:
    layer, x, ids = engram(order=2), torch.randn(1, 4, 8, dtype=torch.float64, requires_grad=True), said(1, 4)

    def called(x: Tensor, rows: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"rows.weight": rows}, (x, ids))[0]

    assert torch.autograd.gradcheck(called, (x, layer.rows.weight.detach().clone().requires_grad_()))


def test_facts_about_triples_are_learned_by_heart() -> None:
    torch.manual_seed(0)
    triples = torch.cartesian_prod(*[torch.arange(6)] * 3)
    answers = torch.randint(16, (216,))
    layer = Engram(16, torch.arange(6), rows=200, row_dim=8)
    x = torch.ones(216, 3, 16)
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.02)
    for _ in range(120):
        optimiser.zero_grad()
        read = layer(x, triples)[0][:, -1]
        F.cross_entropy(read, answers).backward()
        optimiser.step()
    with torch.no_grad():
        right = (layer(x, triples)[0][:, -1].argmax(-1) == answers).double().mean()
    assert float(right) > 0.95, "the hidden state says nothing, so only the table can know"


def test_sizes_out_of_range_are_refused() -> None:
    for sizes in ({"order": 1}, {"heads": 0}, {"rows": 0}):
        with pytest.raises(InvalidInput, match="order"):
            Addresses(CANON, **sizes)
