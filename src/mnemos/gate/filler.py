"""Greetings, thanks and backchannel: what is said to keep talk going, and says nothing that could be asked for.

Backchannel in the sense of Yngve, "On getting a word in edgewise" (1970). A text is filler when it falls into nothing
but the phrases below; a word more, and it stays. What can be an answer stays after a question.
"""

from __future__ import annotations

import re

from mnemos.gate.policy import Arrival, Verdict

LONGEST = 120
"""Characters of the longest text that can be filler."""

_ALWAYS = (
    "h(?:i+|ello+|ey+|iya|owdy)|yo|greetings|good (?:morning|afternoon|evening|night|day)|morning|hi there|"
    "hello there|hey there|hola|bonjour|salut|hallo|guten (?:tag|morgen|abend)|ciao|ola|namaste|buenos dias|"
    "buenas (?:tardes|noches)|how(?: are|re) (?:you|u|ya)(?: (?:doing|today|doing today))?|hows it going|"
    "whats up|sup|long time no (?:see|talk|chat)|"
    "(?:its )?(?:so )?(?:good|great|nice|lovely) to (?:see|hear from|talk to|chat with) you(?: (?:too|again))?|"
    "bye(?: bye)?|goodbye|see (?:you|ya)(?: (?:later|soon|then|around))?|later|"
    "talk (?:to you )?(?:soon|later)|catch (?:you|ya) later|take care|"
    "have a (?:good|great|nice|lovely|wonderful) (?:day|one|night|evening|weekend|time)|good night|sleep well|"
    "cheers|tschuss|adios|au revoir|hasta luego|"
    "(?:many |ok |okay )?thank(?:s| you| u)(?: (?:so|very) much| a (?:lot|bunch|million)| again|"
    " so so much)?(?: for (?:that|this|it|(?:all )?(?:the|your) (?:help|support|advice|tips?|"
    "suggestions?|kind words|info(?:rmation)?)|(?:asking|listening|sharing|helping|your time)))?|thx|ty|tysm|"
    "(?:i )?(?:really )?appreciate (?:it|that|you)|much appreciated|gracias|muchas gracias|merci(?: beaucoup)?|"
    "danke(?: schon)?|obrigad[oa]|grazie|(?:you are|youre|your) (?:very |so |most )?welcome|"
    "no (?:problem|worries)|my pleasure|anytime|dont mention it|(?:ha){2,}h?|(?:he){2,}|lo+l|lmao|rofl|aw+|u+h|"
    "u+m+|hm+|mm+|oh+|ah+|wow+|whoa|yay+|woo+hoo+|o+ps"
)
"""Said by itself, it is filler whatever came before."""
_UNASKED = (
    "ok(?:ay|ie)?|k|kk|yes|yeah+|yep|yup|ye?s+|sure(?: thing)?|right|alright|all right|cool|great|nice|awesome|"
    "amazing|perfect|excellent|wonderful|fantastic|exactly|totally|absolutely|definitely|indeed|true|agreed|"
    "of course|certainly|sounds (?:good|great|perfect|fun|lovely|like a plan)|got it|gotcha|i see|i understand|"
    "understood|makes sense|fair enough|no doubt|for sure|will do|good (?:point|idea|to know)|"
    "thats (?:great|good|nice|cool|awesome|amazing|true|right|wonderful|fantastic|so (?:cool|nice|great|"
    "true|sweet))|(?:i )?(?:totally )?agree|same here|me too|vale|genau|d accord"
)
"""Filler too, but for an answer to a question."""
_FOREIGN = (
    "你好|您好|谢谢|謝謝|多谢|不客气|再见|早上好|晚安|嗯+|哈哈+|"
    "こんにちは|ありがとう(?:ございます)?|おはよう(?:ございます)?|さようなら"
)
_always = re.compile(rf"(?:(?:{_ALWAYS}|{_FOREIGN})(?: |$))+")
_unasked = re.compile(rf"(?:(?:{_ALWAYS}|{_UNASKED}|{_FOREIGN})(?: |$))+")
_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
_BREAK = re.compile(r"[\W_]+")


class Filler:
    """Lets talk that says nothing leave the index."""

    name = "filler"

    def judge(self, arrival: Arrival) -> Verdict | None:
        """Filler, where nothing but filler phrases and names of those who talk are in it."""
        memory = arrival.memory
        if memory.kind != "turn" or len(memory.text) > LONGEST:
            return None
        people = {memory.speaker, *(said.speaker for said in arrival.before)} - {None}
        asked = bool(arrival.before) and is_question(arrival.before[0].text)
        return Verdict("filler") if is_filler(memory.text, asked=asked, people=map(str, people)) else None


def is_filler(text: str, *, asked: bool = False, people: object = ()) -> bool:
    """Whether a text is filler: beside `people` who are addressed; `asked` says that a question came before it."""
    if len(text) > LONGEST:
        return False
    plain = _BREAK.sub(" ", _APOSTROPHE.sub("", text.casefold())).strip()
    if isinstance(people, str) or not plain:
        return not plain and bool(text.strip()) and not asked
    for name in {part for person in people for part in str(person).casefold().split()}:  # type: ignore[attr-defined]
        plain = re.sub(rf"\b{re.escape(name)}\b ?", "", plain)
    return bool((_always if asked else _unasked).fullmatch(plain.strip()))


def is_question(text: str) -> bool:
    """Whether a text asks something."""
    return any(mark in text for mark in "?？؟")
