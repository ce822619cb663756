"""Pets and possessions."""

from __future__ import annotations

from mnemos.facts.rule import rule
from mnemos.facts.vocabulary import PETS

_PET = "|".join(word.replace("_", " ") for word in PETS)
_PET_WORDS = " ".join(f"{word} {word}s" for word in _PET.replace("|", " ").split())
_MANY_PETS = rf"(?:{_PET})(?:s|es)?"
_ADJ = r"(?:[\w-]+ ){0,3}?"

RULES = (
    rule(
        _PET_WORDS,
        rf"<S>(?:<GOT><ADV>|<HAVE><ADV> (?:adopted|got|rescued|bought|welcomed))<ADV> "
        rf"(?P<o>(?:an?|two|three|four|five|\d+|my|our|the|this) {_ADJ}{_MANY_PETS},? (?:named|"
        rf"called|whose name is) (?-i:[A-ZÀ-Þ][\w'-]+(?:(?:,| and|, and) [A-ZÀ-Þ][\w'-]+)*))",
        "has",
        takes="any",
        when="since",
    ),
    rule(
        _PET_WORDS,
        rf"\bmy (?P<what>{_PET})(?:'s name is| is (?:called|named)) <NAME>",
        "has a {what} called",
        takes="name",
    ),
    rule(
        _PET_WORDS,
        rf"\b(?:my|our) (?:new |little |old |rescue |pet )?(?P<what>{_PET}),? "
        rf"(?P<o>(?-i:[A-ZÀ-Þ][a-zà-ÿ]+))(?=[,.;!]|'s| (?:is|was|has|and|who|loves|likes|to|on|"
        rf"in|at|for|with|every|out|just|had|keeps|does)\b|$)",
        "has a {what} called",
        takes="name",
    ),
    rule(
        _PET_WORDS,
        rf"<S>(?:<GOT>|<HAVE><ADV> (?:adopted|rescued|got))<ADV> (?P<o>(?:an?|two|three|four|"
        rf"five) (?:(?:pet|rescue|new|little|small|big|old|black|white|orange|ginger|grey|gray|"
        rf"brown|golden|german|border|great|french|siamese|persian|tabby|\d+[- ]year[- ]old) "
        rf")*{_MANY_PETS})(?=<MARK>| (?:and|but|at|from|who|that|now|so|last|this|yesterday|"
        rf"today|in|which)\b)",
        "has",
        takes="any",
        when="since",
    ),
    rule(
        "own owns drive drives",
        r"<S><ADV> (?:own|owns|drive|drives) (?P<o>(?:an? |my |our )[\w' -]+?)<END>",
        "owns",
        takes="thing",
    ),
    rule(
        "bought purchased ordered myself",
        r"(?:<S><HAVE><ADV>|<SO>) ?(?:bought|purchased|ordered|got myself)(?: myself| "
        r"ourselves)? (?P<o>(?:an? |some |my |our |two |three |the |\d+ )(?:new |used |"
        r"second[- ]hand |brand[- ]new |own )*[\w&'/.-]+(?: [\w&'/.-]+){0,5}?)<END>",
        "bought",
        takes="thing",
        when="at",
    ),
    rule(
        "sold",
        r"(?:<S><HAVE><ADV>|<SO>) ?sold (?P<o>(?:my|our|the(?= (?:old )?(?:house|car|flat|"
        r"apartment|boat|business|bike|van)\b)) (?:old )?[\w&'-]+(?: [\w&'-]+){0,3}?)"
        r"<END>",
        "no longer owns",
        "{s} sold {o}",
        takes="thing",
        when="until",
        negated=True,
    ),
    rule(
        "stolen broke broken",
        r"\b(?P<s>my) (?P<o>(?:new |old )?[\w'-]+(?: [\w'-]+)?) (?:was|got|has been|'s been) "
        r"stolen<ADV>",
        "has lost",
        "{s}'s {o} was stolen",
        takes="thing",
        when="at",
    ),
    rule(
        "play plays playing",
        r"<S><ADV> (?:play|plays|'ve been playing|have been playing) (?P<o>(?:the "
        r")?(?:acoustic |electric |bass |classical )?(?:guitar|piano|violin|cello|drums|flute|"
        r"clarinet|saxophone|sax|ukulele|harp|trumpet|bass|keyboard|banjo|viola|trombone|"
        r"accordion))\b",
        "plays",
        takes="any",
    ),
    rule(
        "speak speaks fluent",
        r"<S><ADV>(?: speaks?|<BE><ADV> fluent in) (?:fluent |some |a little |a bit of "
        r")?(?P<o>(?-i:[A-Z][a-z]+(?:,? (?:and )?[A-Z][a-z]+)*))(?=<MARK>| (?:and|but|"
        r"fluently|at|with|well|because|so)\b)",
        "speaks",
        takes="name",
    ),
)
