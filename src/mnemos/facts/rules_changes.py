"""Changes that name what went: switched, stopped, no longer, gave up."""

from __future__ import annotations

from mnemos.facts.rule import rule

_VALUE = r"(?P<o>[\w'&/.+-]+(?: [\w'&/.+-]+){0,4}?)"
_DAYS = r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?)"

RULES = (
    rule(
        "switched changed",
        r"(?:<S><HAVE><ADV>|<SO>) ?(?:switched|changed) from (?P<old>[\w'&/.+-]+(?: "
        r"[\w'&/.+-]+){0,4}?) to (?P<o>[\w'&/.+-]+(?: [\w'&/.+-]+){0,4}?)<END>",
        "switched to",
        "{s} switched from {old} to {o}",
        takes="phrase",
        when="since",
    ),
    rule(
        "switched",
        r"<S><HAVE><ADV> switched (?:over )?to (?P<o>[\w'&/.+-]+(?: [\w'&/.+-]+){0,4}?)<END>",
        "switched to",
        takes="phrase",
        when="since",
    ),
    rule(
        "longer",
        r"<S><ADV> no longer (?P<verb>use|own|have|eat|drink|like|play|want|attend|go to|take|"
        r"see|watch|need|do|run|teach|study)s? <PHRASE>",
        "no longer {verbs}",
        negated=True,
    ),
    rule(
        "stopped quit gave given dropped",
        r"(?:<S><HAVE><ADV>|<SO>) ?(?:stopped|quit|given up|gave up) (?P<o>(?:[a-z]+ing|my|"
        r"the|playing \w+) [\w'&-]+(?: [\w'&-]+){0,4}?)<END>",
        "gave up",
        takes="thing",
        when="at",
    ),
    rule(
        "moved changed switched",
        rf"\b(?:my |our |the )?(?P<what>(?!the\b)[a-z][\w'-]*(?: [a-z][\w'-]*){{0,2}}?) (?:(?:has|have|was|"
        rf"got)(?: been)? )?(?:moved|changed|switched|rescheduled) (?:from {_DAYS} )?to "
        rf"(?P<o>{_DAYS})",
        "day of {what} is",
        "{s}'s {what} is on {o}",
        takes="any",
        single=True,
        when="since",
    ),
)
