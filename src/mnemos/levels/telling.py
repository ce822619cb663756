"""Which sentence tells of an event in somebody's life, by its form: a deed, something that befell, a plan."""

from __future__ import annotations

import re

EVENT = 2.0
"""What a sentence has to be worth to count as an event."""
FIRST = 0.7
"""What it is worth that an episode begins with a sentence."""

_SELF = re.compile(r"\b(?:i|i'm|im|i've|ive|i'd|i'll|we|we're|we've|we'll|my|our|me|us)\b", re.IGNORECASE)
_OTHERS = re.compile(
    r"\b(?:he|she|he's|she's|they|they're|his|her|mum|mum's|mom|dad|mother|father|brother|sister|son|daughter|wife|"
    r"husband|boyfriend|girlfriend|partner|friend|boss|someone|somebody)\b|"
    r"(?:(?<=[a-z,;] )|^)(?-i:[A-ZÀ-Þ][a-zß-ÿ]{2,})",
    re.IGNORECASE,
)
_STRONG = re.compile(
    r"\b(?:got|passed|failed|moved|moving|moves|bought|ordered|booked|born|engaged|married|divorced|died|stolen|stole|"
    r"taken|lost|won(?!')|accepted|paid|offered|confirmed|signed|adopted|decided|cracked|broke|broken|deferred|"
    r"leaving|left (?:for|my|the|her|home|it|work)|hired|fired|quit|joined|started|starting|finished|graduated|"
    r"collected|sold|met|visited|flying|flew|went|changed|cancelled|postponed|delayed|announced|published|"
    r"performed|diagnosed|became|gave up|ran|planted|won't be|have a|learned|learnt|did it|we're in|i'm in|"
    r"wedding|concert|interview|surgery|operation|birthday|redundancy|job)\b",
    re.IGNORECASE,
)
_WEAK = re.compile(
    r"\b(?:saw|found|ate|made|built|drove|came|arrived|returned|going to|will be|planning|plans?|exam|test|party|trip|"
    r"holiday|results|allergic|[a-z]{3,}ed)\b",
    re.IGNORECASE,
)
_LOUD = re.compile(r"!!|\b[A-Z]{4,}\b|\b[A-Z]{2,} [A-Z]{2,}\b")
_YOU = re.compile(r"\b(?:you|your|you're|you've|u)\b|\b(?:thanks|thank you|congrat\w*|glad)\b", re.IGNORECASE)
_WHEN = re.compile(
    r"\b(?:today|yesterday|tomorrow|tonight|this (?:morning|week|weekend|month)|"
    r"(?:last|next) (?:night|week|month|year|[a-z]+day)|(?:on )?(?:mon|tues|wednes|thurs|fri|satur|sun)day|january|"
    r"february|march|april|june|july|august|september|october|november|december|\d{1,2}(?:st|nd|rd|th))\b",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"\b(?:should|would|could|might|if|maybe|perhaps|wait|want|wants|wish|won't|know|think|guess|hope|ideas)\b",
    re.IGNORECASE,
)
_ASKING = re.compile(
    r"\?|^(?:(?:ok|right|so|and|now|please)[ ,]+)*(?:can|could|would|will|should|do|does|did|is|are|how|what|whats|"
    r"what's|why|which|who|where|when|tell|write|help|give|make|draft|explain|quiz|test me|show|find|need|want|remind|"
    r"name for|recommend|suggest|list|translate|let's|please)\b|\b(?:can|could|would) you\b|\bplease\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"[a-z]+_[a-z]+|[a-z]\(|\+\w|[{}<>=\\]|\.(?:csv|py|gpkg|json)\b")


def telling(sentence: str) -> float:
    """How much a sentence tells of an event, by its form; about -2 to 5, and from `EVENT` on one can be told of."""
    words = len(sentence.split())
    if words < 3:
        return 0.0
    return (
        1.2 * bool(_STRONG.search(sentence))
        + 0.5 * bool(_WEAK.search(sentence))
        + 0.5 * bool(_SELF.search(sentence))
        + 0.4 * bool(_OTHERS.search(sentence))
        + 0.6 * bool(_LOUD.search(sentence))
        + 0.3 * sentence.rstrip("\"'”’) ").endswith("!")
        - 0.8 * (_YOU.search(sentence) is not None and not _SELF.search(sentence))
        + 0.5 * bool(_WHEN.search(sentence))
        + 0.3 * (words >= 6)
        - 2.0 * bool(_ASKING.search(sentence))
        - 0.8 * bool(_SUPPOSED.search(sentence))
        - 1.5 * bool(_CODE.search(sentence))
    )
