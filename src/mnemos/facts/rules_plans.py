"""Plans, appointments and deadlines, which keep their dates."""

from __future__ import annotations

from mnemos.facts.rule import rule

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.?"
_CLOCK = r"(?:,? ?(?:at |around )?\d{1,2}(?:[:.]\d\d)? ?(?:am|pm|a\.m\.|p\.m\.|o'clock)(?: [A-Z]{2,4}\b)?)"
_DAY = (
    rf"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day,? )?(?:the )?(?:\d{{1,2}}(?:st|nd|rd|"
    rf"th)?(?: of)? {_MONTH}|{_MONTH} \d{{1,2}}(?!\d)(?:st|nd|rd|th)?)(?:,? \d{{4}})?"
)
_WHEN = rf"(?P<o>{_DAY}{_CLOCK}?|{_CLOCK} on {_DAY})"
_THING = r"(?P<what>[\w'&/.-]+(?: [\w'&/.-]+){0,7}?)"
_MY = r"\b(?:my|our|the)(?: new| final| updated| next| first)?"

RULES = (
    rule(
        "deadline due",
        rf"{_MY} deadline for {_THING}(?: is|'s| was| has been)(?: now| currently)?(?: set for|"
        rf" moved to| extended to| pushed to| changed to| on| by)? {_WHEN}",
        "deadline for {what} is",
        "the deadline for {what} is {o}",
        takes="any",
        single=True,
    ),
    rule(
        "deadline",
        rf"{_MY} (?P<what>[\w'&/-]+(?: [\w'&/-]+){{0,4}}?) deadline(?: is| was| of| has been|"
        rf"'s)(?: now| currently)?(?: set for| moved to| extended to| pushed to| changed to| "
        rf"on| by)? {_WHEN}",
        "deadline for {what} is",
        "the deadline for {what} is {o}",
        takes="any",
        single=True,
    ),
    rule(
        "deadline",
        rf"<I>(?:<GOT>|<BE><ADV> working (?:towards|toward|with)) (?:a|the|my|an) (?:new |"
        rf"tight |strict |final )?deadline (?:of|on) {_WHEN},? for (?:the |my |our )?"
        rf"{_THING}<END>",
        "deadline for {what} is",
        "the deadline for {what} is {o}",
        takes="any",
        single=True,
    ),
    rule(
        "deadline",
        rf"\b(?:my|our|the)(?: new| final| updated)? deadline(?: is| has been|'s| was)(?: "
        rf"now)?(?: set for| moved to| "
        rf"extended to| pushed to| changed to)? {_WHEN}",
        "deadline is",
        "{s}'s deadline is {o}",
        takes="any",
        single=True,
    ),
    rule(
        "appointment meeting interview exam test concert wedding trip flight match game race performance audition "
        "presentation party date class lesson surgery checkup session call conference",
        r"<S><GOT><ADV> (?P<o>(?:an? |my |our )(?:[\w'-]+ ){0,3}?(?:appointment|meeting|"
        r"interview|exam|test|concert|wedding|"
        r"trip|flight|match|game|race|performance|audition|presentation|party|date|class|"
        r"lesson|surgery|checkup|session|"
        r"call|conference)(?: (?:with|at|for|in|to) [\w'-]+(?: [\w'-]+){0,3}?)?)<END>",
        "has",
        takes="any",
        when="at",
        check=lambda groups: groups["planned"] != "",
    ),
    rule(
        "moving move",
        r"<S>(?: will|'ll)(?: be)? mov(?:e|ing)(?: back| over)? to <PLACE>",
        "is moving to",
        takes="place",
        when="at",
    ),
    rule(
        "due",
        rf"{_MY} {_THING} (?:is|are)(?: now)? due (?:on |by )?{_WHEN}",
        "due date of {what} is",
        "{s}'s {what} is due on {o}",
        takes="any",
        single=True,
    ),
    rule(
        "scheduled rescheduled moved postponed pushed planned set is booked changed",
        rf"\b(?:my|our|the) {_THING}(?: is|'s| has been| was| got| has|'s been)(?: now| been| "
        rf"just)*(?: (?:scheduled|rescheduled|moved|postponed|pushed(?: back)?|planned|set|"
        rf"booked|changed|brought forward))?(?: for| to| on) {_WHEN}",
        "date of {what} is",
        "{s}'s {what} is on {o}",
        takes="any",
        single=True,
    ),
    rule(
        "have has got 've booked scheduled",
        rf"<S>(?:(?:'ve|ve\b)(?: got)?| have(?: got)?| has(?: got)?| (?:have |'ve |has "
        rf")?(?:booked|scheduled|set up|arranged))<ADV>(?: an?| "
        rf"my| the| our)(?: upcoming| scheduled| new)? {_THING}(?: scheduled| booked| planned| "
        rf"coming up| set)?(?: for| on) {_WHEN}",
        "date of {what} is",
        "{s}'s {what} is on {o}",
        takes="any",
        single=True,
        check=lambda groups: not groups["what"].endswith("ed"),
    ),
    rule(
        "going flying travelling traveling heading visiting attending leaving starting "
        "moving driving performing hosting taking running meeting getting playing competing "
        "presenting having",
        r"<S><BE><ADV> (?P<o>(?:going (?:to|on|for|camping|hiking|skiing|surfing|fishing|back)"
        r"|(?:flying|travell?ing|heading|driving)(?: back)? to|flying|"
        r"travell?ing|heading|visiting|attending|leaving|starting|driving|performing|"
        r"hosting|taking part|running|meeting|getting married|playing|competing|presenting|"
        r"having)\b(?: [\w'&/.-]+){0,8}?)<END>",
        "plans on",
        takes="phrase",
        when="at",
        check=lambda groups: groups["planned"] != "",
    ),
    rule(
        "plan planning plans intend",
        r"<S>(?: have| had)?(?:<BE><ADV> planning| plans?| intend)<ADV> to "
        r"(?P<o>[\w'&/.-]+(?: [\w'&/.-]+){1,9}?)(?=\s*<MARK>|\s+(?:and|but|because|so|which|"
        r"when|while|since|if|although|i|i'm|it's|next|this|tomorrow|tonight|in (?:january|"
        r"february|march|april|may|june|july|august|september|october|november|december|\d)|"
        r"by|later|soon|as well|considering)\b)",
        "plans to",
        takes="phrase",
        when="at",
    ),
    rule(
        "plan planning plans intend",
        r"<S>(?: have| had)?(?:<BE><ADV> planning| plans?| intend)<ADV> on "
        r"(?P<o>[\w'&/.-]+(?: [\w'&/.-]+){1,9}?)(?=\s*<MARK>|\s+(?:and|but|because|so|which|"
        r"when|while|since|if|although|i|i'm|it's|next|this|tomorrow|tonight|in (?:january|"
        r"february|march|april|may|june|july|august|september|october|november|december|\d)|"
        r"by|later|soon|as well|considering)\b)",
        "plans on",
        takes="phrase",
        when="at",
    ),
    rule(
        "signed registered enrolled booked applied",
        r"(?:<S><HAVE><ADV>|<SO>) ?(?P<verb>(?:signed up|registered|enrolled|applied)(?: for| "
        r"to| in| with| at)) (?P<o>[\w'&/.-]+(?: [\w'&/.-]+){0,8}?)<LONGEND>",
        "{verb}",
        takes="phrase",
        when="at",
    ),
    rule(
        "booked",
        r"(?:<S><HAVE><ADV>|<SO>) ?booked (?P<o>(?:an?|the|my|our|some|two|three|four|\d+) "
        r"[\w'&/.-]+(?: [\w'&/.-]+){0,6}?)<LONGEND>",
        "booked",
        takes="phrase",
        when="at",
    ),
    rule(
        "goal",
        r"\bmy (?:new |main |current |ultimate )?goal(?: for (?P<what>[\w' -]+?))?(?: is|'s) "
        r"(?P<o>(?:to )?[\w'&/%$£.-]+(?: [\w'&/%$£.-]+){1,10}?)<LONGEND>",
        "goal is",
        "{s}'s goal is {o}",
        takes="phrase",
    ),
)
