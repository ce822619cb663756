"""Health, allergies and diet."""

from __future__ import annotations

from mnemos.facts.rule import rule

RULES = (
    rule(
        "now",
        r"<I>(?:'m| am|m) (?:going to|gonna) (?:start )?eat(?:ing)? (?P<o>[\w ,]+?) from now on\b",
        "diet is",
        "{s} eats {o} from now on",
        takes="any",
        single=True,
    ),
    rule(
        "allergic allergy allergies",
        r"<S><BE><ADV> (?:also )?(?:severely |badly |highly |very |mildly |deathly |slightly |"
        r"super |really )?allergic to <PHRASE>",
        "is allergic to",
    ),
    rule(
        "allergic allergy allergies",
        r"<S><GOT> (?:an?|severe|bad|some|mild)? ?(?:severe |bad |mild |serious |food "
        r")?allergy to <PHRASE>",
        "is allergic to",
    ),
    rule(
        "allergic allergy allergies",
        r"<S><GOT> (?:an? )?(?:severe |bad |mild |serious )?(?P<o>[a-z/]+(?: [a-z]+)?) "
        r"allerg(?:y|ies)\b",
        "is allergic to",
    ),
    rule(
        "vegetarian vegan pescatarian pescetarian flexitarian",
        r"<S>(?:<BE><ADV>| (?:became|went|turned|have gone|'ve gone|have become|'ve become|"
        r"'ve been|have been)) (?:an? |now |strictly |mostly )*<DIET>(?= (?:and|but|so|since|"
        r"for|now|because|who|at|in|as|too)\b|<MARK>)",
        "diet is",
        "{s} is {o}",
        takes="any",
        single=True,
        when="since",
    ),
    rule(
        "coeliac celiac lactose gluten teetotal diabetic colour color colourblind colorblind "
        "left dyslexic asthmatic deaf blind",
        r"<S>(?:<BE><ADV>| (?:became|went|turned|have gone|'ve gone|have become|'ve become|"
        r"'ve been|have been)) (?:an? |now |strictly |mostly )*<INTOLERANT>(?= (?:and|but|so|since|"
        r"for|now|because|who|at|in|as|too)\b|<MARK>)",
        "is",
        "{s} is {o}",
        takes="any",
        when="since",
    ),
    rule(
        "diagnosed",
        r"<S>(?: was| were| have been|'ve been| has been|'s been| got| just got)<ADV> "
        r"diagnosed with <PHRASE>",
        "has",
        "{s} was diagnosed with {o}",
        when="since",
    ),
    rule(
        "have has got 've suffer suffers",
        r"<S>(?:<GOT>| suffers? from|<BE><ADV> suffering from)<ADV> (?:an? |severe |mild |"
        r"chronic |bad |some |really |my |type )*<ILLNESS>",
        "has",
        takes="any",
    ),
    rule(
        "take takes taking prescribed",
        r"<S>(?: takes?|<BE><ADV> taking|<BE><ADV> on|(?: was|'ve been| have been) prescribed)"
        r" (?P<o>[a-z]+ \d+ ?(?:mg|mcg|µg|g|ml|iu)\b)",
        "takes",
        takes="any",
        when="since",
    ),
    rule(
        "broke sprained tore fractured twisted injured dislocated",
        r"<S>(?: have| has|'ve)?<ADV> (?P<verb>broke|sprained|tore|fractured|twisted|injured|"
        r"dislocated) (?:my|his|her) (?P<o>(?:left |right )?(?:ankle|leg|arm|wrist|foot|knee|"
        r"finger|toe|hip|back|shoulder|collarbone|rib|nose|elbow|hand|acl|hamstring|thumb))",
        "{verb}",
        "{s} {verb} their {o}",
        takes="any",
        when="at",
    ),
    rule(
        "smoking drinking smoke alcohol caffeine meat sugar coffee dairy",
        r"<S><HAVE><ADV> (?P<verb>quit|stopped|gave up|given up) (?P<o>smoking|drinking|"
        r"alcohol|caffeine|meat|eating meat|sugar|coffee|dairy|gluten)(?=<MARK>| (?:and|but|"
        r"last|this|in|for|since|because|after|a|about|when|two|three|\d)\b)",
        "gave up",
        "{s} gave up {o}",
        takes="any",
        when="at",
    ),
    rule(
        "surgery operation transplant",
        r"<S><HAVE><ADV> (?:had|have|having|undergone|underwent) (?P<o>(?:an? |my )?(?:[a-z]+ "
        r"){0,2}(?:surgery|operation|transplant))(?=<MARK>| (?:and|on|last|this|in|for|"
        r"yesterday|a|two|three|\d)\b)",
        "had",
        takes="any",
        when="at",
    ),
)
