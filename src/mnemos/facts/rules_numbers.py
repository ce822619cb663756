"""Numbers that change: counts, scores, prices, times, personal bests."""

from __future__ import annotations

from mnemos.facts.rule import rule

_NOUN = (
    r"(?P<what>(?:(?!(?:of|years|months|and|or|more|to)\b)[\w'-]+ ){0,3}?(?!(?:years|"
    r"months|weeks|days|hours|minutes|seconds|times|things|ways|questions|options|"
    r"problems|ideas|points|percent|dollars|pounds|miles|classes|choices|issues|others|"
    r"sons|daughters|brothers|sisters|siblings|kids|"
    r"this|was|is|as)\b)[a-z][\w'-]*s)"
)
_OF = (
    r"(?:(?:about|around|roughly|approximately|nearly|almost|over|more than|a total of|"
    r"only|exactly|up to|at least) )*"
)
_COUNT = (
    r"(?P<o>\d[\d,]*|(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"fifteen|twenty|thirty|forty|fifty)(?:-\w+)?)"
)
_STOPS = (
    r"(?=<MARK>| (?:and|but|so|now|in|on|at|from|to|with|for|that|which|who|already|since|"
    r"this|last|because|of|by|after|when|as|including|total|left|before|considering|"
    r"during|using|within)\b)"
)
_SO_FAR = r"(?: (?:now|already|just|currently|recently|finally|so far|actually|also))*"

RULES = (
    rule(
        "0 two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty",
        rf"<S>(?:{_SO_FAR}<GOT>| own| now own| owns){_SO_FAR} {_OF}{_COUNT} {_NOUN}{_STOPS}",
        "number of {what} is",
        "{s} has {o} {what}",
        takes="any",
        single=True,
    ),
    rule(
        "0 two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty",
        rf"<S>(?: have|'ve| has){_SO_FAR} (?P<verb>read|completed|finished|written|collected|"
        rf"visited|seen|watched|solved|reached|saved|published|earned|recorded|"
        rf"logged){_SO_FAR} {_OF}{_COUNT} {_NOUN}{_STOPS}",
        "number of {what} {verb} is",
        "{s} has {verb} {o} {what}",
        takes="any",
        single=True,
    ),
    rule(
        "0 two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty",
        rf"<S>(?: have|'ve| has){_SO_FAR} (?P<verb>gained|made|sold|lost|run|tried|added|baked|"
        rf"attended|planted|raised|built|bought|adopted){_SO_FAR} {_OF}{_COUNT} {_NOUN}{_STOPS}",
        "number of {what} {verb} is",
        "{s} has {verb} {o} {what}",
        takes="any",
    ),
    rule(
        "0",
        rf"<S>(?: have|'ve| has)?{_SO_FAR} (?:reached|hit|got to|gotten to|am at|are at|'re at|"
        rf"'m at|is at|'s at|am up to|'m up to){_SO_FAR} {_OF}(?P<o>\d[\d,]*\+?) {_NOUN}{_STOPS}",
        "number of {what} is",
        "{s} has reached {o} {what}",
        takes="any",
        single=True,
    ),
    rule(
        "0",
        rf"\b(?:my|our) (?P<thing>[\w'-]+(?: [\w'-]+){{0,3}}?)(?: now| currently)? (?:has|contains|holds|includes)"
        rf"{_SO_FAR} {_OF}{_COUNT} {_NOUN}{_STOPS}",
        "number of {what} in {thing} is",
        "{s}'s {thing} has {o} {what}",
        takes="any",
        single=True,
    ),
    rule(
        "improved increased decreased dropped rose risen grew grown reached went gone raised "
        "reduced adjusted changed "
        "cut lowered",
        r"\b(?P<whose>my|our|the|this) (?P<what>(?:(?!is\b|was\b|has\b|to\b|and\b)[\w'/-]+ ){0,4}?[a-z]+)"
        r"(?:,? which|,? that)?(?: has| have|'s|'ve| was| were)?(?: now| recently| just| finally| also| been)*"
        r" (?:improved|increased|decreased|dropped|rose|risen|grew|grown|reached|went up|gone up|went down|gone down|"
        r"raised|reduced|adjusted|changed|cut|lowered)(?: from <NUM>(?: ?\w+)?)? ?(?:to )?(?:about |around )?"
        r"(?P<o>(?:[£$€¥]\s?)?\d[\d,.:]*(?:/\d+)?\s?(?:%|k\b|percent|ms|seconds?|minutes?|hours?|days?|words?|euros?|"
        r"dollars?|pounds?|kg|km|miles?|mb|gb|members?|people|points?|calls)?(?: (?:a|per) "
        r"(?:month|week|day|year|night|"
        r"hour))?)(?=<MARK>| (?:and|but|so|after|since|with|in|on|for|because|which|now|last|"
        r"this|by|thanks|over|due|from)"
        r"\b)",
        "{what} is",
        "{s}'s {what} is {o}",
        takes="any",
        single=True,
        check=lambda groups: groups["whose"].lower() in {"my", "our"} or len(groups["what"].split()) > 1,
    ),
    rule(
        "costs takes lasts weighs",
        r"\b(?:my|our) (?P<what>[\w'-]+(?: [\w'-]+){0,3}?)(?: now| currently)? (?P<verb>costs|"
        r"takes|lasts|weighs)(?: me| us)?"
        r"(?: now| about| around| roughly| only| over| almost| nearly)* "
        r"(?P<o>(?:[£$€¥]\s?)?\d[\d,.]*\s?(?:euros?|dollars?|"
        r"pounds?|minutes?|hours?|min|kg|kilos|lbs|k\b)?(?: (?:a|per|each) (?:month|week|day|year|night|hour))?)",
        "{what} {verb}",
        "{s}'s {what} {verb} {o}",
        takes="any",
        single=True,
    ),
    rule(
        "at up",
        rf"\b(?P<s>we)(?:'re| are)(?: now| currently)?(?: up)?(?: at| to)"
        rf" {_OF}{_COUNT} {_NOUN}{_STOPS}",
        "number of {what} is",
        "{s}'s group has {o} {what}",
        takes="any",
        single=True,
    ),
    rule(
        "best record pb pr time",
        r"\bmy (?:new |current |previous )?(?P<what>(?:\w+ )?(?:personal best|personal record|"
        r"pb|best time|record time|average time|best score|high score)(?: (?:time|for "
        r"[\w' ]+?|in [\w' ]+?|on [\w' ]+?))?)(?: is|'s| was| of| stands at)(?: now| "
        r"currently)? (?P<o>\d[\d:.,]*(?: (?:minutes?|hours?|seconds?|min|sec|points?|kg|lbs|"
        r"km|miles?)(?: and \d+ \w+)?)?)",
        "{what} is",
        "{s}'s {what} is {o}",
        takes="any",
        single=True,
    ),
    rule(
        "rent budget salary price cost fee bill mortgage insurance subscription score rating "
        "weight limit streak quota target coverage accuracy rate time size count length "
        "commute balance savings income followers confidence average",
        r"\b(?P<whose>my|our|the) (?P<what>(?:(?!is\b|was\b)[\w'/-]+ ){0,4}?(?:rent|budget|"
        r"salary|price|cost|fee|bill|mortgage|insurance|subscription|score|rating|weight|"
        r"limit|streak|quota|target|coverage|accuracy|rate|time|size|count|length|commute|"
        r"balance|savings|income|confidence|average))(?: (?:for|of|on) (?P<of>(?:my |the |our "
        r")?[\w'/-]+(?: [\w'/-]+){0,3}?))?(?: is| was| are|'s| has (?:now |recently "
        r")?(?:improved|increased|decreased|dropped|gone up|gone down|risen|reached|grown|"
        r"changed|been (?:raised|reduced|increased|updated|adjusted|set|cut))(?: from "
        r"<NUM>(?: ?\w+)?)?(?: to)?)(?: now| currently| around| about| at| up to| down to| "
        r"just| only)* (?P<o>(?:[£$€¥]\s?)?\d[\d,.:]*(?:/\d+)?\s?(?:%|k\b|percent|ms|seconds?|"
        r"minutes?|hours?|days?|words?|(?:a|per) (?:month|week|day|year|night|hour)|dollars|"
        r"euros|pounds|kg|kb|mb|gb|lbs)?(?: (?:a|per) (?:month|week|day|year|night|hour))?)",
        "{what} is",
        "{s}'s {what} is {o}",
        takes="any",
        single=True,
        check=lambda groups: groups["whose"].lower() != "the" or len(groups["what"].split()) > 2,
    ),
    rule(
        "paid spent",
        r"<S><HAVE><ADV> (?:paid|spent)<ADV> (?:about |around |over |nearly |almost "
        r")?(?P<o>[£$€¥]\s?\d[\d,.]*\d?k?) (?:on|for) (?P<what>(?:an? |the |my |some "
        r")?[\w'&-]+(?: [\w'&-]+){0,5}?)<END>",
        "price of {what} is",
        "{s} paid {o} for {what}",
        takes="any",
    ),
)
