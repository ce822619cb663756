"""schemathesis over the whole API: no 500, and every answer is what the schema says. `make fuzz` asks for longer."""

from __future__ import annotations

import re
from pathlib import Path

from fuzzing import fuzz


def test_the_api_is_what_its_schema_says(tmp_path: Path) -> None:
    verdict, report = fuzz(tmp_path, examples=4, seed=20261121, phases="examples,fuzzing")
    assert verdict == 0, report
    asked = re.search(r"Tested: (\d+)", report)
    assert asked is not None, report
    assert int(asked[1]) >= 50
