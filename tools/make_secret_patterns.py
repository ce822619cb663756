"""Take in the patterns of detect-secrets (Apache-2.0, https://github.com/Yelp/detect-secrets) as data.

    python tools/make_secret_patterns.py        # writes src/mnemos/gate/patterns.json

The package itself would bring an HTTP client into every install and a tenth of a second into the first `add`; its
patterns are what is needed. Each is written with the literals of which a text must hold one for it to match, so that
a scan can pass over most patterns without trying them. A test runs the detectors of the installed package beside
ours, and fails where they have learnt something that this file has not.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import detect_secrets.plugins
from detect_secrets.plugins.base import RegexBasedDetector

TARGET = Path(__file__).parent.parent / "src" / "mnemos" / "gate" / "patterns.json"
LEFT_OUT = frozenset({"Public IP (ipv4)", "Private Key", "Artifactory Credentials", "NPM tokens", "JSON Web Token"})
"""An address is no secret; the others have rules of ours: with a key's body, and for text that is not code."""
WITHIN = ("Basic Auth", "Cloudant", "IBM", "SoftLayer", "AWS")
"""Kinds whose first group, where there is one, is the secret; of the others the whole match is."""
NAMES = {
    "Azure Storage Account access key": "Azure storage key",
    "Basic Auth Credentials": "password in an address",
    "PyPI Token": "PyPI token",
}


def detectors() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Every pattern of the package, with the name of its detector."""
    for module in pkgutil.iter_modules(detect_secrets.plugins.__path__):
        held = vars(importlib.import_module(f"detect_secrets.plugins.{module.name}")).values()
        for kind in held:
            own = isinstance(kind, type) and issubclass(kind, RegexBasedDetector) and kind is not RegexBasedDetector
            if own and kind.__module__.endswith(f".{module.name}") and kind.secret_type not in LEFT_OUT:
                yield from ((kind.secret_type, pattern) for pattern in kind.denylist)


def plain_name(name: str) -> str:
    """A detector's name in the middle of a sentence."""
    if name in NAMES:
        return NAMES[name]
    return re.sub(r"\b(Access|Key|Token|Credentials|Bot|OAuth Secret)\b", lambda word: word[0].lower(), name)


def literals(pattern: re.Pattern[str]) -> list[str]:
    """Strings of which every match holds one, in lower case where case is not minded; empty if none is of use."""
    import re._parser as parser  # type: ignore[import-not-found]

    found = _required(parser.parse(pattern.pattern, pattern.flags), parser)
    any_case = bool(pattern.flags & re.IGNORECASE)
    return sorted({text.lower() if any_case else text for text in found or ()})


def _required(parsed: Any, parser: Any) -> list[str] | None:
    best: list[str] | None = None
    run = ""

    def offer(choice: list[str] | None) -> None:
        nonlocal best
        if choice and (best is None or min(map(len, choice)) > min(map(len, best))):
            best = choice

    for op, value in parsed:
        name = str(op)
        if name == "LITERAL":
            run += chr(value)
            continue
        offer([run] if len(run) > 1 else None)
        run = ""
        if name == "SUBPATTERN":
            offer(_required(value[3], parser))
        elif name == "BRANCH":
            parts = [_required(branch, parser) for branch in value[1]]
            offer([text for part in parts for text in part or []] if all(parts) else None)
        elif name in ("MAX_REPEAT", "MIN_REPEAT") and value[0] > 0:
            offer(_required(value[2], parser))
    offer([run] if len(run) > 1 else None)
    return best


def main() -> None:
    """Write the file."""
    rules = [
        {
            "kind": plain_name(name),
            "pattern": pattern.pattern,
            "any_case": bool(pattern.flags & re.IGNORECASE),
            "part": int(name.startswith(WITHIN) and pattern.groups > 0),
            "literals": literals(pattern),
        }
        for name, pattern in detectors()
    ]
    made = {"source": f"detect-secrets {version('detect-secrets')}, Apache-2.0, (c) Yelp", "rules": rules}
    TARGET.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
