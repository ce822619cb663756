"""Likes, dislikes and favourites."""

from __future__ import annotations

from mnemos.facts.rule import rule

_WHAT = (
    r"(?:color|colour|food|dish|meal|movie|film|book|novel|author|song|band|singer|artist|"
    r"place|city|country|season|sport|team|player|game|hobby|animal|show|series|"
    r"restaurant|cuisine|drink|dessert|snack|fruit|flower|holiday|subject|character|genre|"
    r"style|type of \w+|kind of \w+|part|album|podcast|coffee|tea|beer|wine|pizza|"
    r"cocktail|memory|spot|park|beach|exercise|recipe|pastime|way to \w+|thing to \w+|"
    r"[a-z]+)"
)

RULES = (
    rule(
        "learning",
        r"<S><BE><ADV> learning (?P<o>(?-i:[A-Z])\w+|(?:how )?to (?!know|be|use|do|make|deal)"
        r"[\w'-]+(?: [\w'-]+){0,3}?)<LONGEND>",
        "is learning",
        takes="phrase",
    ),
    rule(
        "always",
        r"<I> always (?P<verb>want|take|choose|order|drink|use|wear|buy|pick|book|cook|carry|"
        r"bring) <PHRASE>",
        "always {verbs}",
        takes="phrase",
    ),
    rule(
        "favourite favorite fave fav",
        rf"\bmy (?:all[- ]time |absolute |personal |current )*(?:favou?rite|fave?) "
        rf"(?P<what>{_WHAT}(?: [a-z]+)?)(?: is|'s| are| has to be| would be| has always been)"
        rf"(?: definitely| probably| still| now| actually)? <PHRASE>",
        "favourite {what} is",
        "{s}'s favourite {what} is {o}",
        single=True,
    ),
    rule(
        "favourite favorite fave fav",
        r"(?:^|[,;] |\band )(?P<o>(?-i:[A-Z])[\w'&-]*(?: [\w'&-]+){0,5}?)(?: is|'s)(?: also| "
        r"definitely| probably| still)? my (?:all[- ]time |absolute |personal )*(?:favou?rite|"
        r"fave?) (?P<what>[a-z]+(?: [a-z]+)?)(?=<MARK>)",
        "favourite {what} is",
        "{s}'s favourite {what} is {o}",
        single=True,
    ),
    rule(
        "love loves adore adores",
        r"<S><ADV> (?:love|loves|adore|adores)<ADV> <PHRASE>",
        "loves",
        takes="taste",
    ),
    rule(
        "like likes enjoy enjoys",
        r"<S><ADV> (?:like|likes|enjoy|enjoys)<ADV> <PHRASE>",
        "likes",
        takes="taste",
    ),
    rule(
        "into fan fond passionate obsessed keen addicted crazy",
        r"<S><BE><ADV>(?: (?:a|such a))?(?: (?:big|huge|massive|lifelong|real|avid|bit|little|"
        r"really|very|super|so|pretty))* (?:into|fan of|fond of|passionate about|obsessed "
        r"with|keen on|addicted to|crazy about) <PHRASE>",
        "likes",
        takes="taste",
    ),
    rule(
        "interested",
        r"<S><BE><ADV>(?: (?:very|really|also|particularly|so|super))* interested in "
        r"(?P<o>(?!learning|hearing|knowing|finding|trying|exploring|seeing|getting|how|what|"
        r"more|any|looking|checking|buying|using|making)[\w'&/.-]+(?: [\w'&/.-]+){0,6}?)"
        r"<LONGEND>",
        "is interested in",
        takes="taste",
    ),
    rule(
        "prefer prefers",
        r"<S><ADV> prefers?<ADV> (?P<o>[\w'&/-]+(?: [\w'&/-]+){0,9}?)(?=<MARK>| (?:because|"
        r"since|so|but|and|due|when|if|as|which|i)\b|$)",
        "prefers",
        takes="taste",
    ),
    rule(
        "hate hates dislike dislikes stand detest detests loathe bear",
        r"<S><ADV> (?:hate|hates|dislike|dislikes|can't stand|cannot stand|cant stand|can't "
        r"bear|detest|detests|loathe|loathes|despise)<ADV> <PHRASE>",
        "dislikes",
        takes="taste",
    ),
    rule(
        "don dont doesn doesnt not never",
        r"<S><ADV> (?:don't|dont|do not|doesn't|doesnt|does not|never)<ADV> (?:really |"
        r"actually |even |ever )*(?:like|enjoy|care for|eat|drink) <PHRASE>",
        "does not like",
        takes="taste",
    ),
    rule(
        "not",
        r"<S>(?:'m| am|'s| is)<ADV> not (?:a|much of a|really a)(?: big| huge)? (?:fan of|"
        r"into|keen on|fond of) <PHRASE>",
        "does not like",
        takes="taste",
    ),
)
