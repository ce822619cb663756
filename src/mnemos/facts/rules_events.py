"""What people did: visits, achievements, meetings, beginnings; and what they have never done."""

from __future__ import annotations

from collections.abc import Mapping

from mnemos.facts.rule import rule

_THE = r"(?:an?|the|my|our|his|her|some|two|three|this year's|last year's)"

_DID = (
    r"(?P<verb>ran|took|made|painted|drew|tried|performed(?: at| in)?|participated in|"
    r"took part in|celebrated|baked|cooked|saw|"
    r"hiked|played|gave|volunteered(?: at| for)?|adopted|planted|wrote|recorded|bought|"
    r"got(?! married| engaged)|started|led|taught|held|threw|"
    r"competed in|enrolled in|applied for|received|organi[sz]ed|watched|read|discovered|"
    r"spoke at|donated|repaired|fixed|"
    r"explored|climbed|caught|redecorated|renovated|designed|knitted|sewed|harvested|sang|danced|helped|presented)"
)


def _dated(groups: Mapping[str, str]) -> bool:
    return groups["dated"] != "" and groups["planned"] == ""


RULES = (
    rule(
        "ran took made painted drew tried performed participated celebrated baked cooked saw "
        "hiked played gave volunteered adopted planted wrote recorded bought got started led "
        "taught held threw competed enrolled applied received organised organized watched "
        "read discovered spoke donated repaired fixed explored climbed caught redecorated "
        "renovated designed knitted sewed harvested sang danced helped presented",
        rf"(?:<S><HAVE><ADV>|<SO>) ?{_DID} <PHRASE>",
        "{verb}",
        takes="phrase",
        when="at",
        check=_dated,
    ),
    rule(
        "been",
        r"<S>(?: have|'ve| has|'s) been (?P<verb>playing|practi[cs]ing|learning|studying|"
        r"volunteering(?: at| with)?|teaching|"
        r"collecting|writing|painting|training for|taking|attending|coaching|mentoring|baking|"
        r"building|developing|designing|"
        r"working on|running|growing|making)<ADV> <PHRASE>",
        "has been {verb}",
        takes="taste",
    ),
    rule(
        "volunteer volunteers coach coaches mentor mentors foster fosters collect collects teach teaches",
        r"<S><ADV> (?P<verb>volunteer|coach|mentor|foster|collect|teach)(?:s|es)?<ADV> "
        r"(?P<o>(?:(?:at|with|for|in) )?[\w'&/.-]+(?: [\w'&/.-]+){0,6}?)<LONGEND>",
        "{verbs}",
        takes="taste",
    ),
    rule(
        "went been travelled traveled flew visited drove hiked",
        r"(?:<S><HAVE><ADV>|<SO>) ?(?P<verb>visited|(?:went|travell?ed|flew|drove|been)(?: "
        r"back)? to) (?P<o>(?-i:[A-ZÀ-Þ])[\w'’&-]*(?:,? (?:(?:of|de|the|and|in) "
        r")?(?-i:[A-ZÀ-Þ])[\w'’&-]*){0,5})",
        "visited",
        takes="place",
        when="at",
    ),
    rule(
        "went",
        rf"<S><ADV> went (?P<o>(?:to {_THE} (?!place\b|event\b|spot\b|thing\b|store\b)"
        rf"[\w'&-]+(?: [\w'&-]+){{0,4}}?|(?:camping|hiking|skiing|surfing|fishing|swimming|"
        rf"kayaking|climbing|sailing|cycling|biking|snowboarding|diving|snorkell?ing|shopping|"
        rf"dancing|bowling|on {_THE} [\w'&-]+(?: [\w'&-]+){{0,2}}?)(?: (?:with|in|at) (?:my |"
        rf"the )?[\w'&-]+(?: (?-i:[A-Z])[\w'-]+)*)?))<END>",
        "went",
        takes="any",
        when="at",
    ),
    rule(
        "passed failed",
        r"(?:<S><HAVE><ADV>|<SO>) ?(?P<verb>passed|failed) (?P<o>(?:my|his|her|the|our) "
        r"[\w'&/-]+(?: [\w'&/-]+){0,4}?)(?= first time\b|<MARK>| (?:and|but|so|this|last|"
        r"yesterday|today|on|in|with|at|for|just|by|when)\b)",
        "{verb}",
        takes="thing",
        when="at",
    ),
    rule(
        "won lost",
        rf"(?:<S><HAVE><ADV>|<SO>) ?(?P<verb>won) (?P<o>(?:{_THE}|first|second|third|1st|2nd|"
        rf"3rd|gold|silver|bronze) [\w'&/-]+(?: [\w'&/-]+){{0,6}}?)<LONGEND>",
        "won",
        takes="phrase",
        when="at",
    ),
    rule(
        "finished completed launched opened published released started founded created "
        "joined attended hosted organised organized built adopted graduated earned received "
        "submitted enrolled finalised finalized implemented set",
        rf"(?:<S><HAVE><ADV>|<SO>) ?(?P<verb>finished|completed|launched|opened|published|"
        rf"released|started|founded|created|joined|attended|hosted|organi[sz]ed|built|received|"
        rf"submitted|implemented|set up) (?P<o>(?:{_THE}|(?-i:[A-Z]\w+)) ?[\w'&/.-]+(?: "
        rf"[\w'&/.-]+){{0,6}}?)<END>",
        "{verb}",
        takes="thing",
        when="at",
    ),
    rule(
        "started began taken took",
        r"<S><HAVE><ADV> (?:started|began|taken up|took up)(?: taking| doing| learning| "
        r"practicing| practising| attending| going to)? (?P<o>(?:yoga|pilates|piano|guitar|"
        r"violin|swimming|running|painting|pottery|ceramics|gardening|meditation|meditating|"
        r"boxing|climbing|cycling|knitting|dancing|baking|cooking|photography|karate|judo|"
        r"tennis|golf|chess|spanish|french|german|italian|japanese|polish|mandarin|[a-z]+ "
        r"(?:classes|lessons|therapy|training))(?: (?:classes|lessons))?)\b",
        "started",
        takes="any",
        when="since",
    ),
    rule("met", r"<S><HAVE><ADV> met (?:up with )?(?:my \w+,? )?<NAME>", "met", takes="name", when="at"),
    rule(
        "met",
        r"<I> met (?P<o>(?:my|our) [\w'-]+(?: [\w'-]+)?)(?= (?:at|in|on|through|last|this|"
        r"when|during)\b)",
        "met",
        takes="thing",
        when="at",
    ),
    rule(
        "read reading finished watched",
        r"<S>(?: have|'ve| has)?<ADV> (?P<verb>finished reading|finished|read|watched|started "
        r"reading) (?P<o>(?-i:[A-Z])[\w'&:-]*(?: (?:(?:of|the|and|a|an|in|to|on|for) "
        r")*(?-i:[A-Z])[\w'&:-]*){1,7}(?: by (?-i:[A-Z])[\w.'-]*(?: (?-i:[A-Z])[\w.'-]*)*)?)",
        "{verb}",
        takes="place",
        when="at",
    ),
    rule(
        "reading",
        r"<S><BE><ADV> reading (?P<o>(?-i:[A-Z])[\w'&:-]*(?: (?:(?:of|the|and|a|an|in|to|on|"
        r"for) )*(?-i:[A-Z])[\w'&:-]*){1,7}(?: by (?-i:[A-Z])[\w.'-]*(?: (?-i:[A-Z])"
        r"[\w.'-]*)*)?)",
        "is reading",
        takes="place",
    ),
    rule(
        "never",
        r"<I>(?:'ve| have|ve) never (?:actually |really |personally |ever )*(?P<o>[a-z]+(?: "
        r"[\w'&/.+-]+){1,14}?)(?=\s*(?:<MARK>)|\s+(?:but|because|so|though|although|and (?:i|"
        r"i'm|i've|now|it|that|want|need)|which|that's|considering|before|until)\b)",
        "has never",
        takes="phrase",
        negated=True,
    ),
    rule(
        "passed died dead",
        r"\b(?P<s>my <KIN>(?: <PERSON>)?|(?-i:[A-Z][a-z]+))(?: recently| sadly| just)* "
        r"(?P<o>passed away|died)(?= (?:in|on|last|this|when|at|a|two|three|from|of|after|and|"
        r"yesterday)\b|<MARK>)",
        "died",
        "{s} died",
        takes="any",
        single=True,
        when="at",
    ),
)
