"""Secrets are found by form, by label and by check digit; talk is left alone; nothing of them reaches the disk."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from mnemos import InvalidInput, Mnemos
from mnemos.gate.detect import find
from mnemos.gate.secrets import SecretScan

LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def made(seed: int, length: int, of: str = LETTERS) -> str:
    chance = random.Random(seed)
    # a token of any length has a digit somewhere
    return "".join(chance.choices(of, k=length - 1)) + "7"


def part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def block(name: str) -> str:
    lines = "\n".join(made(line, 64) for line in range(8))
    return f"-----BEGIN {name}PRIVATE KEY-----\n{lines}\n-----END {name}PRIVATE KEY-----"


WHOLE = {
    "AWS access key": "AKIA" + made(1, 16, string.ascii_uppercase + "234567"),
    "GitHub token": "ghp_" + made(2, 36),
    "GitHub token ": "github_pat_" + made(3, 22) + "_" + made(4, 59),
    "GitLab token": "glpat-" + made(5, 20),
    "Slack token": f"xoxb-{made(6, 12, string.digits)}-{made(7, 12, string.digits)}-{made(8, 24)}",
    "Stripe access key": "sk_live_" + made(9, 24),
    "Stripe access key ": "rk_test_" + made(10, 24),
    "OpenAI token": "sk-" + made(11, 20) + "T3BlbkFJ" + made(12, 20),
    "OpenAI token ": "sk-proj-" + made(13, 60),
    "Anthropic API key": "sk-ant-api03-" + made(14, 80) + "AA",
    "Google API key": "AIza" + made(15, 35),
    "Hugging Face token": "hf_" + made(16, 34),
    "Groq API key": "gsk_" + made(17, 52),
    "npm token": "npm_" + made(18, 36),
    "PyPI token": "pypi-AgEIcHlwaS5vcmc" + made(19, 90),
    "SendGrid API key": f"SG.{made(20, 22)}.{made(21, 43)}",
    "Twilio API key": "SK" + made(22, 32, HEX),
    "Telegram bot token": f"{made(23, 9, '123456789')}:{made(24, 35)}",
    "Mailchimp access key": made(25, 32, HEX) + "-us12",
    "DigitalOcean token": "dop_v1_" + made(26, 64, HEX),
    "Slack token  ": f"https://hooks.slack.com/services/T{made(27, 9)}/B{made(28, 9)}/{made(29, 24)}",
    "JSON web token": f"{part(json.dumps({'alg': 'HS256'}))}.{part(json.dumps({'sub': '1234567890'}))}.{made(30, 43)}",
    "private key": block("RSA "),
    "private key ": block("OPENSSH "),
    "card number": "4111 1111 1111 1111",
    "card number ": "5555-5555-5555-4444",
    "card number  ": "378282246310005",
    "bank account (IBAN)": "DE89 3704 0044 0532 0130 00",
    "bank account (IBAN) ": "GB82WEST12345698765432",
}
LABELLED = (
    ("password: hunter2", "hunter2"),
    ("Password: correcthorse", "correcthorse"),
    ("My wifi password is Sunny-Day-42.", "Sunny-Day-42"),
    ('The password for the router is "bluebird"', "bluebird"),
    ("wifi password here is Kelvin-Otter-48", "Kelvin-Otter-48"),
    ("user admin password hunter2", "hunter2"),
    ('API_KEY="abc123def456"', "abc123def456"),
    ('{"db_password": "pg$pass1"}', "pg$pass1"),
    ("the passcode for the gate is 4821", "4821"),
    ("my PIN is 9917", "9917"),
    ("我的密码是abc12345", "abc12345"),
    ("postgres://admin:pw0rd77@db.example.com/x", "pw0rd77"),
    (f"AWS_SECRET_ACCESS_KEY={made(31, 40)}", made(31, 40)),
    (f"Authorization: Bearer {made(32, 40)}", made(32, 40)),
)
TALK = (
    "My password is safe with me.",
    "The password is case-sensitive and must be 8-12 characters.",
    "password: string",
    'const password = req.body.password; token = "your_token_here"',
    'password=os.environ["PW"]',
    "I forgot my password and changed it to something new.",
    "order 4111 1111 1111 1112 and order ORDER-1234567890123456",
    "commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad, id 550e8400-e29b-41d4-a716-446655440000",
    "Call me: +1 (415) 555-2671 or 13812345678; ISBN 978-3-16-148410-0",
    "It was 1,299,000.00, on 2023-10-14 10:00:00 2023-10-15.",
    "The key is to relax. The secret is out! My PIN code area is 560001.",
    "https://example.com/a/very/long/path?utm_source=abc&id=123456",
    "password: ********, password: <your password>, password: ${DB_PASSWORD}, api_key: 0x...",
    "I take the 1600 1700 1800 1900 2000 2100 buses.",
)


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("around", ["{}", "Here it is: {}", "please use {}, thanks", "KEY={}\nOTHER=1", "鍵は{}です"])
def test_a_token_is_masked_whole(kind: str, around: str) -> None:
    secret = WHOLE[kind]
    words, kinds = SecretScan().words(around.format(secret))
    assert words == around.format(f"[secret: {kind.strip()}]")
    assert kinds == (kind.strip(),)


@pytest.mark.parametrize(("text", "secret"), LABELLED)
def test_what_a_label_announces_is_masked(text: str, secret: str) -> None:
    words, kinds = SecretScan().words(text)
    assert secret not in words
    assert kinds
    # what is masked is found masked, and left
    assert SecretScan().words(words) == (words, ())


@pytest.mark.parametrize("text", TALK)
def test_talk_holds_no_secrets(text: str) -> None:
    assert find(text) == []


def test_every_detector_of_the_package_is_taken_in() -> None:
    base = pytest.importorskip("detect_secrets.plugins.base")
    plugins = pytest.importorskip("detect_secrets.core.plugins.util").get_mapping_from_secret_type_to_class()
    left_out = {"Public IP (ipv4)", "Artifactory Credentials"}
    for text in (*WHOLE.values(), *(text for text, _ in LABELLED)):
        for name, plugin in plugins.items():
            if issubclass(plugin, base.RegexBasedDetector) and name not in left_out:
                theirs = [found for line in text.splitlines() for found in plugin().analyze_string(line)]
                assert not theirs or find(text), name


def test_a_scan_is_linear_in_hostile_text() -> None:
    for unit in ("eyJ", "sk-", "//:", "1 ", "password:", "-----BEGIN PRIVATE KEY-----", "://a:", "aws key ", "A"):
        find(unit * (200_000 // len(unit)))


SECRET = WHOLE["AWS access key"]
TURN = {"content": f"the key is {SECRET}, keep it", "happened_at": "2025-01-01T09:00:00Z"}


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A store's file, of which no byte may be of the secret once the test is over."""
    yield tmp_path / "ana.db"
    for path in tmp_path.glob("ana.db*"):
        raw = path.read_bytes()
        assert not any(piece.encode() in raw for piece in (SECRET, SECRET[4:12], SECRET[-8:], "hunter2", "4111"))


def test_masked_by_default_and_says_so(file: Path) -> None:
    with Mnemos(file) as memory:
        (added,) = memory.add([{**TURN, "metadata": {"password": "hunter2", "card": 4111111111111111, "n": 3}}])
        assert added.text == "the key is [secret: AWS access key], keep it"
        assert added.masked == ("AWS access key",)
        assert added.metadata == {"password": "[secret: password]", "card": "[secret: card number]", "n": 3}
        assert memory.get(added.id) == added.__class__(
            **{n: getattr(added, n) for n in added.__slots__} | {"is_new": False}
        )
        (change,) = memory.history(added.id)
        assert change.metadata["masked"] == ["password", "card number", "AWS access key"]
        (again,) = memory.add([{**TURN}])
        assert (again.id, again.is_new) == (added.id, False)
        assert memory.search("which key should be kept?")[0].memory.id == added.id
        memory.maintain()
        assert memory.check() == []


def test_items_updates_and_imports_are_scanned(file: Path, tmp_path: Path) -> None:
    source = tmp_path / "turns.jsonl"
    source.write_text(json.dumps({"role": "user", **TURN}) + "\n")
    with Mnemos(file) as memory:
        item = memory.put("db", {"url": f"x://u:hunter2@h/{SECRET}", "deep": [{"token": "4111111111111111"}]})
        assert SECRET not in json.dumps([item.value, item.text])
        item = memory.put("db", {"one": "more"}, texts=[f"found by {SECRET}"])
        assert item.text == "found by [secret: AWS access key]"
        (note,) = memory.add("a note", kind="note")
        updated = memory.update(note.id, text="password: hunter2", metadata={"key": SECRET})
        assert (updated.text, updated.metadata) == ("password: [secret: password]", {"key": "[secret: AWS access key]"})
        assert memory.history(note.id)[-1].metadata["masked"] == ["password", "AWS access key"]
        assert memory.import_file(source).added == 1
        assert memory.import_file(source).repeated == 1
        assert memory.check() == []


def test_refused_by_field_and_kind_and_never_quoted(file: Path) -> None:
    with Mnemos(file, secrets="refuse") as memory:
        with pytest.raises(InvalidInput) as caught:
            memory.add(["fine", TURN])
        assert caught.value.field == "messages[1].content"
        assert "AWS access key" in str(caught.value)
        assert SECRET not in str(caught.value)
        with pytest.raises(InvalidInput, match=r"value\.a\.b"):
            memory.put("k", {"a": {"b": SECRET}})
        with pytest.raises(InvalidInput, match="metadata"):
            memory.add("x", metadata={"api_key": "abc123def456"})
        assert memory.list().total == 0
        assert memory.add("My password is safe with me.")[0].masked == ()


def test_kept_where_told(tmp_path: Path) -> None:
    with Mnemos(tmp_path / "kept.db", secrets="keep") as memory:
        assert memory.add([TURN])[0].text == TURN["content"]
    with pytest.raises(InvalidInput, match="secrets"):
        Mnemos(tmp_path / "other.db", secrets="hide")  # type: ignore[arg-type]


def test_a_restored_export_stays_masked_and_an_old_one_becomes_so(file: Path, tmp_path: Path) -> None:
    masked, plain = tmp_path / "masked.jsonl", tmp_path / "plain.jsonl"
    with Mnemos(tmp_path / "first.db") as memory:
        memory.add([TURN])
        memory.put("k", {"password": "hunter2"})
        memory.export_file(masked)
    with Mnemos(tmp_path / "kept.db", secrets="keep") as memory:
        memory.add([{**TURN, "happened_at": "2025-01-02T09:00:00Z"}])
        memory.put("k2", {"password": "hunter2"})
        memory.export_file(plain)
    with Mnemos(file) as memory:
        for source in (masked, plain):
            assert memory.import_file(source).added == 2
            assert memory.import_file(source).repeated == 2
        (again,) = memory.add([TURN])
        assert not again.is_new
        assert memory.check() == []
        assert {kind for m in memory.list() for kind in m.masked} == {"AWS access key", "password"}
