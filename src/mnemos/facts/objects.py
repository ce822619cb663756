"""What may stand as an object, and how it reads in the third person."""

from __future__ import annotations

import re

from mnemos.facts.vocabulary import NOT_NAMES

_swaps = {
    "my": "their", "our": "their", "mine": "theirs", "ours": "theirs", "me": "them", "us": "them",
    "myself": "themselves", "ourselves": "themselves",
}  # fmt: skip
_swap = re.compile(r"\b(" + "|".join(_swaps) + r")\b", re.IGNORECASE)
_tail = re.compile(
    r"(?:,|\s)+(?:too|as well|also|though|lol|haha|btw|now|right now|these days|anymore|"
    r"any more|a lot|so much|very much|"
    r"the most|more than anything|already|again|either|of course|obviously|honestly|"
    r"really|tbh|and|or|but|the|a|an|to|"
    r"of|in|on|at|with|for|from|by|than|lately|recently|currently|soon|ever|yet|all|much|just|actually|well|my|their|"
    r"both|alone|myself|while|during|via|scheduled|that|which|who|it|is|was|because|so|like|about|not|most|right)$",
    re.IGNORECASE,
)
_vague = re.compile(
    r"\b(?:it|its|it's|that|this|these|those|them|they|they're|their's|he|him|his|she|her|"
    r"hers|you|your|yours|you're|u|ur|ya|"
    r"y'all|something|anything|everything|nothing|someone|anyone|everyone|stuff|things?|"
    r"one|ones|there|here|such|same|"
    r"i|i'm|i've|i'd|we|we're|what|how|who|where|why|when|way|idea|ideas|lot|lots|other|others|another|kind|sort|bit|"
    r"former|latter|i'll|would|could|should|don't|doesn't|can't|isn't|im|ive|dont)\b|['’](?:re|ll|ve)\b|\.\.",
    re.IGNORECASE,
)
_unsaid = re.compile(
    r"(?:is|are|was|were|be|makes?|about|when|if|how|of|than|as|from|not|will|every|"
    r"each|around|for|the (?:sound|idea|suggestion|look|thought|way|fact|concept|tip|recommendation|"
    r"plan)s?)\b",
    re.IGNORECASE,
)
_pointed = re.compile(
    r"the (?!(?:beach|outdoors|ocean|sea|mountains?|rain|snow|sun|cold|heat|countryside|"
    r"city|smell of|taste of|feel of|"
    r"gym|night|quiet|water|forest|woods|idea of|arts?|theatre|theater|cinema|piano|"
    r"guitar|violin|holidays?)\b)[^A-Z]*$"
)
"""A thing pointed at, which only the turns before can tell: "the energy"."""
_empty = frozenset(
    "a an the some any my our their his her of to and in on for with being doing having "
    "getting new old own good nice "
    "great more less much many few very really so too big small little same different certain various several both "
    "each every all none not only just even still ever never always often first last next best better worse most "
    "least place places time times day moment experience feeling energy vibe vibes part "
    "person people real sure fine happy glad sad sorry excited".split()
)
_word = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


_list = re.compile(r"(?:, [\w'-]+(?: [\w'-]+){0,2})*,? and [\w'-]+(?: [\w'-]+){0,2}(?=[.;!?)]|$)")
_cut_off = re.compile(
    r" (?:this|these|that|those) (?!week|month|year|morning|evening|afternoon|summer|weekend|time)", re.IGNORECASE
)
_half = re.compile(
    r"\b(?:(?:an?|the|their|my|more|very|really) \w+|\w+er|simple|safe|small|new|good|big)$", re.IGNORECASE
)
_goes_on = re.compile(
    r", (?!(?:and|but|so|which|i|it|because|or|that|who|then|with|especially|like|such|can|how|what|is)\b)\w",
    re.IGNORECASE,
)
"""After an adjective, a comma and more: the noun comes later ("a safe, inviting place")."""
_loose = re.compile(r"\b(?:to|of|in|with|for|at|by|from|on|about|the|an?|my|their)$", re.IGNORECASE)
_theirs = re.compile(r"\btheirs?\b", re.IGNORECASE)


def completed(obj: str, text: str, end: int, takes: str, *, dated: bool) -> str | None:
    """An object with the list that it begins, from the text in which it ends; None where it is cut off or unclear."""
    if takes == "any":
        return obj.lower() if obj.isupper() and obj.isalpha() and len(obj) > 4 else obj
    if takes in {"place", "name"}:
        return None if obj.endswith("'s") and text[end : end + 1] == " " else obj
    if _cut_off.match(text, end) or _theirs.search(obj) or _vague.search(obj) or (not dated and _loose.search(obj)):
        return None
    if dated or takes == "thing":
        return obj
    if more := _list.match(text, end):
        return obj + more[0] if acceptable(tidy(more[0]), takes) else obj
    if text[end : end + 1] == "," and (
        (takes == "taste" and " " not in obj) or (_half.search(obj) and _goes_on.match(text, end))
    ):
        return None
    return obj


def tidy(obj: str) -> str:
    """The words of an object without loose ends, with "my" as "their"."""
    cleaned = obj.strip(" ,.;:!-–—'\"*")
    while (shorter := _tail.sub("", cleaned)) != cleaned:
        cleaned = shorter.strip(" ,.;:-")
    return _swap.sub(lambda found: _swaps[found[1].lower()], cleaned)


def acceptable(obj: str, takes: str) -> bool:
    """Whether an object means something without the turn it was said in."""
    words = _word.findall(obj)
    if not words or len(obj) > 120:
        return False
    if takes == "any":
        return len(words) <= 14
    if takes in {"place", "name"}:
        first = words[1] if words[0].lower() == "the" and len(words) > 1 else words[0]
        return first not in NOT_NAMES and first[:1].isupper() and len(words) <= 10
    if _vague.search(obj) or _unsaid.match(obj) or (takes == "taste" and _pointed.match(obj)):
        return False
    if re.search(r"\bbetween\b(?!.*\band\b)", obj):
        return False
    return any(word.lower() not in _empty and len(word) > 1 for word in words) and len(words) <= 13
