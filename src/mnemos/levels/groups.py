"""Where in a profile a fact belongs, and on what it rests, by the words of its relation."""

from __future__ import annotations

import re


def _any(words: str) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(words.split("|")) + r")\b", re.IGNORECASE)


GROUPS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "home",
        _any(
            r"lives?|living (?:in|at|with)|mov(?:ed|es|ing)|address|home|resid\w+|born in|grew up|comes? from|is from|"
            r"hometown|stays?"
        ),
    ),
    (
        "work",
        _any(
            r"works?|for a living|job|employ\w+|earns?|salary|boss|stud(?:y|ies|ied)|degree|graduat\w+|profession|"
            r"occupation|hired|retired|teaches|colleague|company|career|school|university"
        ),
    ),
    (
        "people",
        _any(
            r"mother|mum|mom|father|dad|parents?|brothers?|sisters?|sons?|daughters?|child(?:ren)?|wife|husband|partner|"
            r"boyfriend|girlfriend|fianc\w+|marri\w+|marital|engaged|divorced|dating|aunt\w*|uncle|cousins?|nieces?|"
            r"nephews?|grand\w+|friends?|flatmate|roommate|neighbou?r|spouse|in-law|twin|famil\w+|instructor|physio"
        ),
    ),
    ("pets", _any(r"pets?|dogs?|cats?|pupp\w+|kittens?|greyhounds?|horses?|rabbits?|hamsters?|parrots?")),
    (
        "health",
        _any(
            r"allerg\w+|health|diagnos\w+|intoleran\w+|vegan|vegetarian|pescatarian|diet|medic\w+|asthma\w*|an[a]?emi\w+|"
            r"injur\w+|surgery|operation|blood|takes|suffers?|doctor|does not eat|doesn't eat|eats"
        ),
    ),
    (
        "likes",
        _any(
            r"likes?|loves?|enjoys?|prefers?|favou?rite|hates?|dislikes?|can(?:'t|not) stand|interested|hobb\w+|fan of|"
            r"afraid|fears?|into|keen|always wants|wants? (?:the|an?)"
        ),
    ),
    (
        "plans",
        _any(
            r"date of|plans?|planning|will|going to|intends?|hopes?|wants to|booked|appointment|upcoming|"
            r"looking forward"
        ),
    ),
    ("has", _any(r"has|have|owns?|drives?|got|number|phone|e-?mail|plays?|rides?|car|keeps?")),
)
"""The groups of a profile in order, each with the words by which a fact belongs to it."""

DONE, REST = "done", "also"
ORDER = (*(name for name, _ in GROUPS), DONE, REST)
PERSONAL = frozenset({"home", "work", "people", "pets", "health", "likes", "plans"})
"""Groups by which somebody is known to be a person."""
VAGUE = frozenset({"is", "has", "is a", "is an", "has a", "has an", "was", "had", "got", "is the", "has the"})
"""Relations that say nothing without their object."""

_DID = re.compile(
    r"^(?:has |have |was |were |got )?(?:passed|failed|bought|sold|built|made|had|gave up|gave|won|lost|visited|went|"
    r"met|started|finished|ran|read|saw|watched|attended|joined|left|quit|adopted|signed up|booked|ordered|broke|"
    r"cracked|learned|learnt|completed|graduated|published|performed|stolen|planted|found)\b"
)
_PAST = re.compile(r"^(?:[a-z]{2,}ed|took|got|came|drove|flew|wrote|taught|sang|met|spent|threw|held|led|grew)\b")
_LATE = re.compile(r"\b(?:built|made|wrote|painted|taught|led|grew|read|published|designed|created|used to)\b")
_ON_JOB = re.compile(r"^(?:earns|boss is|manager is|colleague is|works with|works (?:from|on))\b")
_JOB = re.compile(r"^works (?:as|at|for)\b")
_ON_HOME = re.compile(r"^(?:flatmate|roommate|housemate|landlord|landlady|neighbou?r) is\b|^rents?\b")
_HOME = re.compile(r"^(?:address is|lives? in|lives? at)\b")


def group_of(relation: str, said: str, text: str) -> str:
    """The group of a fact with this relation and object; by its text where it has no relation."""
    if _DID.match(relation):
        return DONE
    for words in (relation, said) if relation in VAGUE else (relation or text,):
        for name, pattern in GROUPS:
            if pattern.search(words) and not (name == "has" and relation in VAGUE and words is relation):
                return name
    if _PAST.match(relation):
        return DONE
    return "has" if relation.startswith(("has", "have")) else REST


def is_job(relation: str) -> bool:
    """Whether it says what somebody works as, or where."""
    return _JOB.match(relation) is not None


def is_home(relation: str) -> bool:
    """Whether it says where somebody lives."""
    return _HOME.match(relation) is not None


def rests_on_job(relation: str) -> bool:
    """Whether it no longer holds once the job is another."""
    return _ON_JOB.match(relation) is not None


def rests_on_home(relation: str) -> bool:
    """Whether it no longer holds once the home is another."""
    return _ON_HOME.match(relation) is not None


def told_late(text: str) -> bool:
    """Whether it is of the sort that is often told long after it was done, so that its day is not when it was said."""
    return _LATE.search(text) is not None
