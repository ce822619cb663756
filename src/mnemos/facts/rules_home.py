"""Where people live, come from and move to, and how they are reached."""

from __future__ import annotations

from mnemos.facts.rule import rule

_HOW = r"(?: (?:together|alone|here|right here|happily|over|out|up|down|back|just outside|near|close))?"
_FAR = r"(?: (?:to|back to|out to|over to|up to|down to|across to))"

_ROAD = r"(?:street|st|road|rd|terrace|avenue|ave|lane|drive|close|court|place|square|way|gardens|crescent|row|hill)"

RULES = (
    rule(
        "live lives living based reside resides",
        rf"<S><ADV>(?: lives?| resides?|<BE><ADV> (?:living|based|residing)|(?:'ve| have|'s| "
        rf"has) (?:been living|lived))<ADV>{_HOW} (?:in|at) <PLACE>",
        "lives in",
        takes="place",
        single=True,
        when="since",
    ),
    rule(
        "moved relocated",
        rf"(?:<S><HAVE><ADV>|<SO>)<ADV> ?(?:moved|relocated)<ADV>(?: (?:house|away|in|back|"
        rf"home))?(?: (?:here|over))? from <PROPER>{_FAR} <PLACE>",
        "lives in",
        "{s} moved to {o}",
        takes="place",
        single=True,
        when="since",
    ),
    rule(
        "moved relocated",
        rf"<S><HAVE><ADV>(?: moved| relocated)<ADV>(?: away)?{_FAR} <PLACE>",
        "lives in",
        "{s} moved to {o}",
        takes="place",
        single=True,
        when="since",
    ),
    rule(
        "moved relocated",
        r"<S><HAVE><ADV>(?: moved| relocated)<ADV>(?: (?:here|over|away|back))? from <PLACE>",
        "no longer lives in",
        "{s} moved away from {o}",
        takes="place",
        when="until",
        negated=True,
    ),
    rule(
        "moving relocating",
        r"<S><BE><ADV> (?:moving|relocating)(?: back| over| out| up| down)? to <PLACE>",
        "is moving to",
        takes="place",
        when="at",
    ),
    rule(
        "from",
        r"<S>(?:<BE><ADV> (?:originally )?(?:from)|<ADV> (?:come|comes|hail|hails)(?: originally)? from) <PLACE>",
        "comes from",
        takes="place",
        single=True,
    ),
    rule("grew", r"<S><ADV> grew up (?:in|on) <PLACE>", "grew up in", takes="place"),
    rule("born", r"<S>(?: was| were|'s) born (?:and raised )?in <PLACE>", "was born in", takes="place", single=True),
    rule("hometown", r"my hometown(?: is|'s|,)<ADV> <PLACE>", "comes from", takes="place", single=True),
    rule(
        "address",
        r"\b(?:my|our|the)? ?(?:(?:new|home|current|postal) )*address(?: is|'s|:) "
        r"(?P<o>[^;!?]*?\d[^;!?.]*[^;!?.,\s])(?=[.;!]|$)",
        "address is",
        "{s}'s address is {o}",
        takes="any",
        single=True,
    ),
    rule(
        "0",
        rf"^(?P<o>(?:flat [\w/]+,? )?\d+[a-z]? (?-i:[A-Z])[\w']+(?: (?-i:[A-Z])[\w']+)* {_ROAD}\b[^.;!?]*)",
        "address is",
        "{s}'s address is {o}",
        takes="any",
        single=True,
        when="since",
        after=r"\b(?:moved|we're in|new address|address is|we are in)\b",
    ),
    rule(
        "phone number mobile cell",
        r"\bmy (?:(?:new|current) )*(?:phone|number|mobile|cell|phone number|mobile number|"
        r"cell number)(?: is|'s|:)(?: now)? (?P<o>\+?\d[\d ()-]{6,18}\d)",
        "phone number is",
        "{s}'s phone number is {o}",
        takes="any",
        single=True,
    ),
    rule(
        "email",
        r"\bmy (?:(?:new|current|work|personal) )*e-?mail(?: address)?(?: is|'s|:)(?: now)? "
        r"(?P<o>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)",
        "email is",
        "{s}'s email is {o}",
        takes="any",
        single=True,
    ),
)
