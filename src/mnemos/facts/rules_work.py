"""Work, employers, studies."""

from __future__ import annotations

from collections.abc import Mapping

from mnemos.facts.rule import rule
from mnemos.facts.vocabulary import is_work

_ORG_END = r"(?=<MARK>| (?:as|and|but|in|on|for|since|so|which|where|who|with|because|now|to|last|this|until|from)\b)"
_AS = r"(?: (?:full[- ]time|part[- ]time|remotely|mostly))?"


def _work(groups: Mapping[str, str]) -> bool:
    return is_work((groups.get("job") or groups["o"]).split()[-1])


_ROLE = (
    r"(?:lead|manager|director|engineer|officer|analyst|assistant|teacher|nurse|developer|designer|head|coordinator)"
)

RULES = (
    rule(
        "lead manager director engineer officer analyst assistant teacher nurse developer designer head coordinator",
        rf"^(?P<o>[\w ]{{3,40}}? {_ROLE} (?:at|for|with) (?:the )?<PROPER>)",
        "works as",
        takes="any",
        when="since",
        after=r"\b(?:got (?:the|a|that) (?:new )?(?:job|post|role)|new job|hired)\b",
    ),
    rule(
        "living",
        r"<I><ADV> (?P<verb>make|write|teach|fix|build|sell|design|drive|paint|cook|clean|"
        r"train|draw|code|edit|translate|repair)"
        r" (?P<o>[\w' -]+?) for a living\b",
        "{verbs} for a living",
        "{s} {verbs} {o} for a living",
    ),
    rule(
        "work works working worked",
        rf"<S><ADV>(?: works?|<BE><ADV> working|'ve been working| have been working| has been "
        rf"working){_AS}(?: as [\w' -]+?)?<ADV> (?:at|for) <PLACE>",
        "works at",
        takes="place",
        single=True,
        when="since",
    ),
    rule(
        "work works working",
        rf"<S><ADV>(?: works?|<BE><ADV> working|'ve been working| have been working){_AS}<ADV> "
        rf"as (?P<o>(?:an? |the )?(?:[\w'-]+ ){{0,3}}?(?P<job>[\w-]+))(?= (?:at|for|in|with|on|"
        rf"and|from|to|who)\b|<MARK>)",
        "works as",
        takes="any",
        when="since",
        check=_work,
    ),
    rule(
        "am 'm im m is 's are 're",
        r"<S><BE><ADV> (?P<o>an? (?:[\w'-]+ ){0,3}?(?P<job>[\w-]+))(?= (?:at|for|in|by|with|"
        r"from|based|specializing|specialising|who|and|but|so|working|living)\b|<MARK>)",
        "works as",
        "{s} is {o}",
        takes="any",
        check=_work,
    ),
    rule(
        "started hired",
        r"<S><HAVE><ADV> (?:started (?:working )?at|started (?:my|a|her|his) (?:new )?(?:job|"
        r"role|position) (?:at|with)|got hired (?:by|at)|(?:was|were) hired (?:by|at)) <PLACE>",
        "works at",
        "{s} started at {o}",
        takes="place",
        single=True,
        when="since",
    ),
    rule(
        "job position role offer",
        r"<S><HAVE><ADV> (?:got|landed|accepted|took|taken|start(?:ed)?)<ADV> (?:a|an|the|my|"
        r"this)(?: new| great| job)* (?:job|position|role|post|offer)(?: offer)? (?:at|with|"
        r"from) <PLACE>",
        "works at",
        "{s} got a job at {o}",
        takes="place",
        single=True,
        when="since",
    ),
    rule(
        "job position role",
        r"<S><HAVE><ADV> (?:got|landed|accepted|took|taken|start(?:ed)?)<ADV> (?:a|an|the|my)"
        r"(?: new| great)* (?:job|position|role|post) as (?P<o>(?:an? |the )?(?:[\w'-]+ "
        r"){0,3}?(?P<job>[\w-]+))(?= (?:at|for|in|with|on|and|from|to)\b|<MARK>)",
        "works as",
        "{s} got a job as {o}",
        takes="any",
        when="since",
        check=_work,
    ),
    rule(
        "promoted promotion",
        r"<S><HAVE><ADV> (?:was|got|been|were)<ADV> promoted to <PHRASE>",
        "works as",
        "{s} was promoted to {o}",
        single=True,
        when="since",
    ),
    rule(
        "quit left leave lost resigned fired laid",
        r"(?:<S><HAVE><ADV>|<SO>) ?(?:quit|left|lost|resigned from)(?: my| the| his| her)? "
        r"(?:(?:old|day|full[- ]time|part[- ]time) )?(?:job|position|role|post) as "
        r"(?P<o>(?:an? |the )?(?:[\w'-]+ ){0,3}?(?P<job>[\w-]+))(?= (?:at|for|in|with|on|and|"
        r"from|to|yesterday|last|this)\b|<MARK>)",
        "no longer works as",
        takes="any",
        when="until",
        negated=True,
        check=_work,
    ),
    rule(
        "quit left lost resigned fired laid let",
        r"(?:<S><HAVE><ADV>|<SO>) ?(?:(?:quit|left|lost) (?:my |the |his |her )?(?:old |day "
        r")?(?:job|position|role)(?: at| with)|resigned from|(?:was|were|got|been) (?:fired|"
        r"laid off|let go) (?:from|by)|no longer works? (?:at|for)|stopped working (?:at|for))"
        r" <PLACE>",
        "no longer works at",
        takes="place",
        when="until",
        negated=True,
    ),
    rule(
        "quit lost",
        rf"(?:<S><HAVE><ADV>|<SO>) ?lost (?:my|his|her) (?:old |day )?(?P<o>job){_ORG_END}",
        "lost",
        "{s} lost their job",
        takes="any",
        when="at",
    ),
    rule(
        "quit",
        rf"<S><HAVE><ADV> quit (?:my|his|her) (?:old |day )?(?P<o>job){_ORG_END}",
        "quit",
        "{s} quit their job",
        takes="any",
        when="at",
    ),
    rule(
        "retired",
        r"<S>(?: have| has|'ve)?<ADV> (?P<o>retired)(?= (?:in|last|this|from|after|at|\d)\b|"
        r"[.,;!])",
        "is retired",
        "{s} retired",
        takes="any",
        when="at",
    ),
    rule(
        "study studying studies studied major majoring majors",
        r"<S><ADV>(?: study| studies|<BE><ADV> (?:studying|majoring in)| major in| majors in) "
        r"(?P<o>[\w&' -]+?)(?= (?:at|in|for|and|with|but|so|to|right|because|from|on)\b|"
        r"<MARK>)",
        "studies",
        when="since",
    ),
    rule(
        "study studying studies go goes",
        r"<S><ADV>(?: study| studies|<BE><ADV> studying| go| goes)(?: [\w&' -]{2,40}?)? (?:at|"
        r"to) (?P<o>(?-i:[A-Z])[\w&' -]*?(?:University|College|School|Academy|Institute|"
        r"Polytechnic)(?: of (?-i:[A-Z])\w+)?)",
        "studies at",
        takes="place",
        when="since",
    ),
    rule(
        "graduated",
        r"<S><HAVE><ADV> (?:just )?graduated from (?P<o>(?-i:[A-Z])[\w'&-]*(?: (?:of|at|the|"
        r"in|(?-i:[A-Z][\w'&-]*)))*)",
        "graduated from",
        takes="place",
        when="at",
    ),
    rule(
        "degree master masters bachelor phd mba diploma",
        r"<S><ADV>(?: have| has|'ve got|<BE><ADV> (?:doing|pursuing|finishing)| (?:graduated|"
        r"finished) with| (?:got|earned|completed|received)) (?P<o>(?:an? |my |the "
        r")?(?:(?:master's|masters|bachelor's|bachelors|doctoral|doctorate|phd|mba|diploma|"
        r"associate's)(?: degree)?|degree) (?:in|of) [\w&' -]+?)(?= (?:at|from|and|with|but|"
        r"so|to|which|last|this)\b|<MARK>)",
        "has the degree",
        "{s} has {o}",
        when="none",
    ),
    rule(
        "earn earns make makes salary",
        r"<S><ADV>(?: earns?| makes?) (?:about |around |roughly |approximately "
        r")?(?P<o>(?:[£$€¥]\s?\d[\d,.]*\s?k?|\d[\d,.]*k|\d{2,3},\d{3})(?: (?:a|per|an) "
        r"(?:year|month|week|hour|day)| annually| monthly)?)",
        "earns",
        takes="any",
        single=True,
        when="none",
    ),
)
