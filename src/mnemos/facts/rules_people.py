"""Family, friends, names, ages and birthdays."""

from __future__ import annotations

from collections.abc import Mapping

from mnemos.facts.rule import rule
from mnemos.facts.vocabulary import NOT_NAMES

_MARRIED = r"(?P<o>married|engaged|divorced|separated|widowed|single)"


def _a_name(groups: Mapping[str, str]) -> bool:
    return groups["o"].split()[0] not in NOT_NAMES


def _an_age(groups: Mapping[str, str]) -> bool:
    return groups["o"].isalpha() or 0 < int("".join(c for c in groups["o"] if c.isdigit()) or 0) < 115


RULES = (
    rule(
        "name call calls go",
        r"(?:\bmy (?:full |real |first )?name(?: is|'s)|\b(?:please |just |you can |everyone |"
        r"everybody |people |friends )(?:call|calls) me|<SO>call me|\bi go by) <NAME>",
        "name is",
        "{s}'s name is {o}",
        takes="name",
        single=True,
        check=_a_name,
    ),
    rule(
        "'m am",
        r"(?:^|(?:hi|hey|hello)[,!.]? (?:there[,!.]? )?|by the way,? )i(?:'m| am) "
        r"(?P<o>(?-i:[A-Z][a-z]{2,}(?: [A-Z][a-z]+)?))(?=,? (?:and|a|an|the)\b|<MARK>)",
        "name is",
        "{s}'s name is {o}",
        takes="name",
        single=True,
        check=_a_name,
    ),
    rule(
        "name",
        r"\bmy (?P<kin>(?:older |younger |little |big )?(?:sister|brother|mother|mum|mom|"
        r"father|dad|husband|wife|partner|son|daughter|boyfriend|girlfriend|boss|best friend|"
        r"fiancée?|uncle|aunt|cousin|nephew|niece|grandmother|grandfather|grandma|grandpa))"
        r"(?:'s name is| is (?:named|called)) <NAME>",
        "{kin} is",
        "{s}'s {kin} is {o}",
        takes="name",
        check=_a_name,
    ),
    rule(
        "'m im am turned turning turn is 's years",
        r"<S>(?:<BE><ADV> (?P<o>\d{1,3})(?: years? old| yo\b| y/o)?| (?:just |recently "
        r")?turned (?P<o2>\d{1,3}))(?=<MARK>| (?:and|but|so|now|years?|today|yesterday|last|"
        r"this|next|in|on|with|old)\b)",
        "age is",
        "{s} is {o} years old",
        takes="any",
        single=True,
        check=_an_age,
    ),
    rule(
        "birthday born",
        r"\b(?:(?P<s>my (?:sister|brother|mother|mum|mom|father|dad|husband|wife|partner|son|"
        r"daughter|boyfriend|girlfriend|best friend))'s|(?P<s2>my)) birthday(?: is|'s)(?: on| "
        r"coming up on)? (?P<o>(?:the )?(?:\d{1,2}(?:st|nd|rd|th)?(?: of)? (?:jan|feb|mar|apr|"
        r"may|jun|jul|aug|sep|oct|nov|dec)[a-z]*|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|"
        r"nov|dec)[a-z]* \d{1,2}(?:st|nd|rd|th)?)(?:,? \d{4})?)",
        "birthday is",
        "{s}'s birthday is {o}",
        takes="any",
        single=True,
    ),
    rule(
        "born",
        r"<S>(?: was|'s| were) born (?:on|in) (?P<o>(?:the )?(?:\d{1,2}(?:st|nd|rd|th)?(?: "
        r"of)? )?(?:(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)?(?: "
        r"\d{1,2}(?:st|nd|rd|th)?)?,? ?(?:19|20)\d\d)",
        "was born",
        "{s} was born on {o}",
        takes="any",
        single=True,
    ),
    rule(
        "married engaged divorced separated widowed single",
        rf"<S>(?:<BE><ADV>| (?:got|have been|'ve been|has been|just got|recently got)) "
        rf"(?:happily |recently |newly |currently )?{_MARRIED}(?= (?:in|on|last|this|and|with|"
        rf"for|but|now|since|yesterday|at)\b|<MARK>)",
        "marital status is",
        "{s} is {o}",
        takes="any",
        single=True,
        when="since",
    ),
    rule(
        "married engaged",
        r"<S>(?:<BE><ADV>| (?:got|have been|'ve been|just got|recently got)) (?:happily |"
        r"recently |newly )?(?P<verb>married|engaged) to (?:my \w+,? )?<NAME>",
        "is {verb} to",
        takes="name",
        single=True,
        check=_a_name,
    ),
    rule(
        "is 's",
        r"\bmy <KIN>(?: is|'s) <NAME>(?=<MARK>| (?:and|but|who|now)\b)",
        "{kin} is",
        "{o} is {s}'s {kin}",
        takes="name",
        check=_a_name,
    ),
    rule(
        "dating seeing relationship",
        r"<S>(?:<BE><ADV>|'ve been| have been) (?:dating|seeing|going out with|in a "
        r"relationship with) <NAME>",
        "is dating",
        takes="name",
        single=True,
        check=_a_name,
    ),
    rule(
        "pregnant expecting",
        r"<S><BE><ADV> (?P<o>pregnant|expecting (?:a baby|twins|our \w+ (?:child|baby)|my \w+ "
        r"(?:child|baby)))",
        "is",
        takes="any",
        when="since",
    ),
    rule(
        "have has got 've",
        r"<S><GOT> (?P<o>(?:two|three|four|five|six|seven|\d{1,2}|twin|a couple of) (?:\w+ "
        r")?(?P<who>kids|children|sons|daughters|brothers|sisters|siblings|boys|girls|"
        r"grandchildren|grandkids|nieces|nephews))(?=<MARK>| (?:and|but|who|so|with|now|in|"
        r"aged)\b)",
        "number of {who} is",
        "{s} has {o}",
        takes="any",
        single=True,
    ),
    rule(
        "baby son daughter boy girl twins",
        r"<S>(?: just| recently| have| has)* (?:had|gave birth to|welcomed) (?P<o>(?:a|an|our|"
        r"my|her|their|the)(?: \w+)? (?:baby(?: boy| girl)?|son|daughter|boy|girl|child|twins)"
        r")(?=<MARK>| (?:and|on|in|last|this|named|called|who|yesterday|today)\b)",
        "had a child",
        "{s} had {o}",
        takes="any",
        when="at",
    ),
    rule(
        "tall weigh weighs height weight",
        r"<S>(?:<BE><ADV> (?P<o>\d[\d.,'\"]* ?(?:cm|m|ft|feet|foot)?(?: ?\d+)?(?: ?(?:in|"
        r"inches))?) tall| (?:now )?weighs? (?:about |around )?(?P<o2>\d[\d.]* ?(?:kg|kilos|"
        r"lbs?|pounds|stone)))",
        "measures",
        "{s} measures {o}",
        takes="any",
        single=True,
    ),
)
