"""What secrets look like: the patterns of detect-secrets, kinds that it does not know, and passwords told in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mnemos.gate import numbers

_START = "(?<![A-Za-z0-9_-])"
"""A token does not begin in the middle of another, which also keeps the search linear."""

OURS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?s:.){0,20000}?"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z|\n\s*\n(?=[^\n]*\s[^\n]*\s))",
        ("PRIVATE KEY",),
    ),
    ("private key", r"AGE-SECRET-KEY-1[A-Z0-9]{50,}", ("AGE-SECRET-KEY-1",)),
    ("GitHub token", r"github_pat_\w{50,}|gh[oprsu]_\w{30,}", ("github_pat_", "ghp_", "gho_", "ghr_", "ghs_", "ghu_")),
    ("GitLab token", r"gl(?:pat|dt|ft|soat|rt|ptt|oas|agent)-[\w.-]{20,}", ("gl",)),
    ("Anthropic API key", r"sk-ant-[\w-]{20,}", ("sk-ant-",)),
    ("OpenAI token", r"sk-(?:proj|svcacct|admin|None)-[\w-]{20,}|sk-[A-Za-z0-9]{32,}", ("sk-",)),
    (
        "API key",
        r"(?:sk-or-v1-|sk-lf-|pplx-|tvly-|nvapi-|glsa_|lsv2_pt_|xai-)[\w-]{24,}",
        ("sk-or-v1-", "sk-lf-", "pplx-", "tvly-", "nvapi-", "glsa_", "lsv2_pt_", "xai-"),
    ),
    ("Google API key", r"AIza[\w-]{35}|GOCSPX-[\w-]{24,}|ya29\.[\w.-]{20,}", ("AIza", "GOCSPX-", "ya29.")),
    ("Hugging Face token", r"hf_[A-Za-z0-9]{30,}", ("hf_",)),
    ("Groq API key", r"gsk_[A-Za-z0-9]{40,}", ("gsk_",)),
    ("Slack token", r"xox[a-z]-[\w-]{10,}|xapp-\d-[\w-]{10,}", ("xox", "xapp-")),
    ("Stripe access key", r"(?:sk|rk)_(?:live|test)_\w{16,}|whsec_[\w+/=]{24,}", ("k_live_", "k_test_", "whsec_")),
    (
        "AWS access key",
        r"aws[\w .-]{0,30}(?:secret|key)[\w \"'.:=>-]{0,20}?[\s\"':=>]([\w/+]{40})(?![\w/+=])",
        ("aws",),
    ),
    ("DigitalOcean token", r"do[opr]_v1_[a-f0-9]{64}", ("_v1_",)),
    ("npm token", r"npm_[A-Za-z0-9]{36}|_authToken=[\w-]{20,}", ("npm_", "_authToken=")),
    ("Artifactory credentials", r"AKC[A-Za-z0-9]{20,}", ("AKC",)),
    ("Shopify token", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}", ("shp",)),
    ("Databricks token", r"dapi[a-f0-9]{32}(?:-\d)?", ("dapi",)),
    ("Notion token", r"(?:ntn|secret)_[A-Za-z0-9]{40,}", ("ntn_", "secret_")),
    ("Linear API key", r"lin_(?:api|oauth)_[A-Za-z0-9]{30,}", ("lin_",)),
    ("Vault token", r"hv[sbr]\.[\w-]{20,}", ("hvs.", "hvb.", "hvr.")),
    ("Mapbox token", r"sk\.eyJ[\w-]+\.[\w-]+", ("sk.eyJ",)),
    ("Postman API key", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}", ("PMAK-",)),
    ("Sentry token", r"sntry[su]_[\w+/=-]{40,}", ("sntry",)),
    ("1Password secret", r"ops_eyJ[\w+/=-]{100,}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{5,11}-){2,5}[A-Z0-9]{5}", ("ops_", "A3-")),
    ("JSON web token", r"eyJ[\w=-]{8,}\.[\w=-]{8,}(?:\.[\w=-]*)*", ("eyJ",)),
    ("Discord webhook", r"https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\d+/[\w-]{40,}", ("/api/webhooks/",)),
    (
        "bearer token",
        r"(?i:bearer|authorization:\s{0,3}(?:basic|token))\s{1,3}([\w.~+/-]{20,}=*)",
        ("earer", "EARER", "uthoriz"),
    ),
)
"""Kind, pattern (the secret is its first group, else all of it), and strings of which a text must hold one.

Written from what each vendor says of its tokens.
"""

_ANY_CASE = frozenset({"AWS access key"})
_REACH = {"private key": 20_100, "AWS access key": 2, "bearer token": 2}
"""Those of ours that have spaces inside, or between a label and the secret; see `Rule.reach`."""

_LABEL = (
    r"(?:pass(?:word|wd|phrase|code)s?|pwd|passwort|kennwort|contrase[ñn]a|mot de passe|wachtwoord|senha"
    r"|пароль|密码|密碼|パスワード|(?:api|secret|access|auth|private|encryption|licen[cs]e)[ _-]?(?:access[ _-]?)?key"
    r"|(?:access|auth|api|bearer|refresh|bot|secret)[ _-]?token|client[ _-]?secret|secret)"
)
_NAMED = re.compile(
    rf"(?<![A-Za-z])(?:[A-Za-z0-9]{{1,30}}[_-]){{0,4}}{_LABEL}[\"'`\])*]{{0,3}}\s{{0,3}}(?P<sep>:=|=>|->|[:=：])\s{{0,3}}"
    r"(?:(?P<quote>[\"'`])(?P<quoted>[^\"'`\n]{4,200})(?P=quote)|(?P<bare>[^\s\"'`]{4,200}))",
    re.IGNORECASE,
)
_TOLD = re.compile(
    rf"(?<![A-Za-z]){_LABEL}(?:(?:\s(?:for|to|of|on|at|für|para|de)\s[^.,;:!?\n]{{1,40}}?|(?:\s[a-z'-]{{1,20}}){{0,3}}?)"
    r"\s{1,3}(?:is now|is|was|are|will be|(?:has been |was )?(?:changed|set|reset) to|ist|es|est|é)\s{1,3}"
    r"|\s{0,3}(?:是|为|為|は)\s{0,3}|(?P<alone>\s))"
    r"(?:(?P<quote>[\"'`“‘])(?P<quoted>[^\"'`”’\n]{4,80})[\"'`”’]|(?P<bare>[^\s\"'`“”]{4,80}))",
    re.IGNORECASE,
)
_PIN = re.compile(
    r"(?<![A-Za-z])(?:pin|pin code|pin number|passcode|cvv|cvc|cvv2|security code)"
    r"(?:\s(?:for|to|of|on|at)\s[^.,;:!?\n]{1,40}?)?\s{0,2}(?:is now|is|was|:|=)\s{0,2}"
    r"(?P<bare>\d{3,8})(?![\d.,:/-]?\d)",
    re.IGNORECASE,
)
_CARD = re.compile(r"(?<![A-Za-z0-9_.+-])\d(?:[ -]?\d){12,18}(?![A-Za-z0-9_-]|[.,]\d)")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")

_PLACEHOLDER = re.compile(
    r"(?i:x+|.*\.{3}.*|.*…|\*+|\.+|•+|_+|[<\[({%$@].*|.*[\]>)}%]|.*\(.*|your.*|my.*|example.*|changeme.*|redacted|masked|hidden|"
    r"none|null|true|false|str(?:ing)?|required|optional|(?:new|old|current|user|the|a|an|same|wrong|invalid)\b.*|"
    r".*pass(?:word|wd|phrase|code).*|secret\w*|token\w*|https?:.*|key\w*|123\.\.\.|process\.env.*|os\.environ.*)"
)
_NAME = re.compile(
    r"[A-Za-z_]\w*(?:(?:\.|->|::|\?\.)[A-Za-z_]\w*)+[;,]?|[a-z]+(?:_[a-z]+)+[;,]?|[a-z]+(?:[A-Z][a-z]+)+[;,]?"
)
_AFTER = ".,;:!?)*"
"""What may follow a value without being part of it."""
_SYMBOL = re.compile(r"[!@#$%^&*+=~?]")


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to find one kind of secret; `part` is the group that holds it, 0 for all that matched."""

    kind: str
    pattern: re.Pattern[str]
    part: int
    literals: tuple[str, ...]
    holds: Callable[[str], bool]
    any_case: bool
    reach: int
    """0 for what stands in one long run without spaces; else how far after such a run the match may go on."""


def spot_named(text: str, start: int, end: int) -> list[tuple[int, int, str]]:
    """Passwords and keys that a label gives away: `password: …`, `API_KEY="…"`, "the password is …", "PIN is …"."""
    found = []
    for match in _NAMED.finditer(text, start, end):
        quoted = match["quoted"]
        if _is_assigned(quoted or match["bare"].rstrip(_AFTER), quoted is not None, text, match.end()):
            found.append(_span(match, "password" if _is_password(match[0]) else "key or token"))
    for match in _TOLD.finditer(text, start, end):
        quoted = match["quoted"]
        value = quoted or match["bare"].rstrip(_AFTER)
        if match["alone"] and not _has_digit(value):
            continue
        if len(value) >= 4 and (
            _is_mixed(value) or (quoted and " " not in value and not _PLACEHOLDER.fullmatch(value))
        ):
            found.append(_span(match, "password" if _is_password(match[0]) else "key or token"))
    found += [_span(match, "PIN") for match in _PIN.finditer(text, start, end)]
    return found


def spot_numbers(text: str) -> list[tuple[int, int, str]]:
    """Card numbers and bank accounts, by their check digits."""
    found = [(*m.span(), "card number") for m in _CARD.finditer(text) if numbers.is_card(m[0])]
    return found + [(*m.span(), "bank account (IBAN)") for m in _IBAN.finditer(text) if numbers.is_iban(m[0])]


def is_label(name: str) -> bool:
    """Whether a key of some data announces a secret."""
    return re.fullmatch(rf"(?:.{{0,60}}[ _.-])?{_LABEL}", name, re.IGNORECASE) is not None


def is_value(value: str) -> bool:
    """Whether what stands under such a key can be one."""
    return len(value) >= 4 and not _PLACEHOLDER.fullmatch(value)


def _span(match: re.Match[str], kind: str) -> tuple[int, int, str]:
    part = "quoted" if match.groupdict().get("quoted") else "bare"
    start, end = match.span(part)
    if part == "bare":
        end = start + len(match[part].rstrip(_AFTER))
    return start, end, kind


def _is_password(words: str) -> bool:
    return (
        re.search(r"pass|pwd|kennwort|contrase|wachtwoord|senha|пароль|密|パスワード", words, re.IGNORECASE) is not None
    )


def _is_assigned(value: str, quoted: bool, text: str, end: int) -> bool:
    if len(value) < 4 or _PLACEHOLDER.fullmatch(value) or _NAME.fullmatch(value):
        return False
    if quoted:
        return " " not in value or _is_mixed(value)
    if value.isalpha():
        # a plain word is a password only where the line says nothing else
        return len(value) >= 6 and text[end : end + 1] in ("", "\n")
    return _is_mixed(value) or (value.isdigit() and len(value) >= 4)


def _is_mixed(value: str) -> bool:
    """Letters beside digits, or beside signs that words do not have: not a word, a number, a name in a program."""
    if _PLACEHOLDER.fullmatch(value) or _NAME.fullmatch(value) or not any(map(str.isalpha, value)):
        return False
    digits = sum(map(str.isdigit, value))
    if _SYMBOL.search(value.rstrip("?!")):
        return digits > 0 or len(value) >= 6
    return (
        digits > 0 and len(value) >= 6 and not re.fullmatch(r"[A-Za-z]+-\d+(?:\.\d+)*|\d+-?[a-z]+", value)
    ) or value.count("-") >= 3


def _has_digit(secret: str) -> bool:
    return any(map(str.isdigit, secret))


def _always(secret: str) -> bool:
    return True


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule for tokens that are known by their form, compiled once."""
    found = []
    for kind, pattern, literals in OURS:
        compiled = re.compile(_START + f"(?:{pattern})", re.IGNORECASE if kind in _ANY_CASE else 0)
        held = _always if kind == "private key" else _has_digit
        part = int(compiled.groups > 0)
        found.append(Rule(kind, compiled, part, literals, held, kind in _ANY_CASE, _REACH.get(kind, 0)))
    file = Path(__file__).with_name("patterns.json")
    for row in json.loads(file.read_text(encoding="utf-8"))["rules"]:
        kind, part, any_case = row["kind"], row["part"], row["any_case"]
        pattern = row["pattern"] if part else f"{_START}(?:{row['pattern']})"
        compiled = re.compile(pattern, re.IGNORECASE if any_case else 0)
        held, reach = (_always, 0) if kind == "password in an address" else (_has_digit, 2 * part)
        found.append(Rule(kind, compiled, part, tuple(row["literals"]), held, any_case, reach))
    return tuple(found)
