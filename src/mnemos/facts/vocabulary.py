"""Words that the rules are written with: family, animals, work, illness; and the pieces of their patterns."""

from __future__ import annotations

import re

MEN = frozenset(
    "father dad papa grandfather grandpa grandad granddad brother son husband boyfriend uncle nephew grandson "
    "father-in-law brother-in-law son-in-law stepfather stepdad stepbrother stepson fiancé ex-husband ex-boyfriend "
    "godfather".split()
)
WOMEN = frozenset(
    "mother mum mom mam mama grandmother grandma granny gran nana sister daughter wife girlfriend aunt auntie niece "
    "granddaughter mother-in-law sister-in-law daughter-in-law stepmother stepmom stepmum stepsister stepdaughter "
    "fiancée ex-wife ex-girlfriend godmother".split()
)
OTHERS = frozenset(
    "partner spouse fiance fiancee ex parent cousin child kid baby twin friend flatmate roommate housemate neighbour "
    "neighbor colleague coworker co-worker boss manager supervisor mentor coach trainer instructor teacher tutor "
    "professor therapist doctor gp dentist physio physiotherapist landlord landlady assistant client classmate "
    "teammate bandmate godson goddaughter godchild intern".split()
)
FRIENDS = ("best friend", "close friend", "good friend", "old friend", "dear friend", "childhood friend")
KIN = MEN | WOMEN | OTHERS
ONE_ONLY = frozenset(
    "father dad papa mother mum mom mam mama husband wife partner spouse boyfriend girlfriend fiancé fiancée fiance "
    "fiancee boss manager landlord landlady gp".split()
) | {"best friend"}
"""Of whom a person has one at a time."""

PETS = (
    (
        "dog puppy pup cat kitten kitty hamster rabbit bunny guinea pig parrot parakeet "
        "budgie canary turtle tortoise "
        "snake lizard gecko goldfish fish horse pony ferret chicken hen duck goat hedgehog "
        "chinchilla cockatiel bird rat "
        "greyhound labrador retriever poodle beagle spaniel terrier husky corgi dachshund "
        "bulldog shepherd collie tabby"
    )
    .replace("guinea pig", "guinea_pig")
    .split()
)

ILLNESSES = (
    "asthma|diabetes|type [12] diabetes|arthritis|rheumatoid arthritis|osteoarthritis|"
    "anaemia|anemia|epilepsy|eczema|psoriasis|"
    "migraines?|hypertension|high blood pressure|low blood pressure|high cholesterol|ibs|crohn's(?: disease)?|"
    "coeliac(?: disease)?|celiac(?: disease)?|adhd|add|autism|dyslexia|depression|anxiety|insomnia|sleep apn(?:o)?ea|"
    "pcos|endometriosis|cancer|lupus|scoliosis|tinnitus|vertigo|gastritis|acid reflux|gerd|hay ?fever|"
    "hypothyroidism|hyperthyroidism|tendon?itis|sciatica|gout|long covid|pneumonia|bronchitis|ptsd|ocd|"
    "lactose intolerance|runner's knee|carpal tunnel(?: syndrome)?|chronic \\w+(?: "
    "\\w+)?|iron deficiency(?: anaemia| anemia)?"
)
DIETS = "vegetarian|vegan|pescatarian|pescetarian|flexitarian|a meat eater"
"""What people eat: one at a time."""
INTOLERANT = (
    "coeliac|celiac|lactose[- ]intolerant|gluten[- ]intolerant|teetotal|halal|kosher|diabetic|colou?r[- ]?blind|"
    "left[- ]handed|dyslexic|asthmatic|deaf|blind"
)
"""What people are, beside what they eat."""

_NOT_WORK = frozenset(
    "believer lover beginner sucker sister brother mother father daughter member winner loser number bigger "
    "monster user owner killer fighter survivor supporter follower newcomer outsider insider stranger master "
    "reader thinker talker eater sleeper listener starter carrier collector stickler planner helper doer "
    "boyfriend customer caller subscriber buyer seller homeowner procrastinator perfectionist optimist pessimist "
    "realist minimalist introvert extrovert human person man woman girl boy child fan freak junkie christian "
    "australian canadian italian american indian russian brazilian gamer hoarder giant bit later never ever other "
    "another together whatever however computer paper winter summer letter matter center partner neighbor elder "
    "senior junior minor major leader rider runner swimmer hiker walker dancer singer vegetarian survivor".split()
)
_WORK = re.compile(
    r"(?:\w+(?:er|or|ist|ian|ant|eer|yst)|nurse|chef|cook|student|postman|fireman|policeman|architect|pilot|coach|"
    r"freelancer|paramedic|judge|vet|priest|monk|soldier|clerk|model|sailor|mechanic|"
    r"athlete|joiner|physician|surgeon|"
    r"intern|ceo|cto|cfo|lecturer|midwife|undergrad|undergraduate|postdoc|retiree|analyst|"
    r"technologist|developer|dj|poet)"
)


def is_work(noun: str) -> bool:
    """Whether a noun names what somebody does for a living ("engineer", "nurse")."""
    word = noun.lower()
    return word not in _NOT_WORK and word not in KIN and _WORK.fullmatch(word) is not None


NOT_NAMES = frozenset(
    "I The This That These Those It Its It's There Here He She They We You Your My Our "
    "His Her Their A An And But Or So If "
    "When While What Who Where Why How Which Yes No Not Ok Okay Oh Ah Wow Hey Hi Hello "
    "Thanks Thank Please Sorry Well "
    "Also Then Now Just Sure Yeah Yep Nope Great Good Nice Cool Awesome Amazing Maybe Perhaps Actually Basically "
    "Someone Everyone Everybody Nobody Somebody Anyone Something Everything Nothing Today Tomorrow Yesterday Tonight "
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August "
    "September October November December Christmas Easter Spring Summer Autumn Fall Winter In On At To For From With "
    "By Of As After Before Since Until During Because Although Though However Let Lets Let's Do Does Did Is Are Was "
    "Were Am Be Been Being Have Has Had Can Could Will Would Should May Might Must Shall God Lord Mum Mom Dad Life "
    "Love Both Each Every Some Any All Most Many Much Few Other Another One Two Three First Last Next New Old Re "
    "Kids Kid People Family Friends Work Music Art Man Dude Bro Guys Girl Congrats Happy Lol Haha Btw Recently "
    "Speaking Having Being Getting Going Looking Thinking Seeing Making Taking Trying "
    "Working Living Lately Sometimes "
    "Often Always Never Still Even Only Especially Definitely Absolutely Really Honestly Hopefully Luckily "
    "Unfortunately Anyway Besides Meanwhile Other English Our Us Im Ive".split()
)

ADVERB = (
    r"(?:,? (?:also|just|now|currently|recently|really|actually|absolutely|still|always|finally|already|usually|"
    r"totally|truly|both|then|even|definitely|simply|especially|particularly|personally|officially|originally|"
    r"mostly|mainly|generally|normally|typically|regularly|often|genuinely|honestly|so|do|only|soon|temporarily|"
    r"happily|proudly|lately|quite|very|all|basically|presently|since|successfully|permanently|eventually|"
    r"unfortunately|sadly|luckily|fortunately|literally|kinda),?)*"
)
NAME_WORD = r"[A-ZÀ-ÖØ-ÞŁŚŻ][\w'’&-]*[\w]|[A-Z]{2,}|[A-Z]\."
PROPER = (
    rf"(?-i:(?:the )?(?:{NAME_WORD})(?:(?:,? (?:of |de |da |do |del |la |le |the |and |& |"
    rf"for )?|-)(?:{NAME_WORD})| \d+\b(?! years?)){{0,5}})"
)
"""A name of a place, an organisation or a work: capitals with small words between."""
PERSON = rf"(?-i:(?:{NAME_WORD})(?: (?:{NAME_WORD})){{0,2}})"
_kin = "|".join(sorted((re.escape(word) for word in (*KIN, *FRIENDS)), key=lambda kin: (-len(kin), kin)))
KINSHIP = (
    rf"(?:(?:older|elder|eldest|oldest|younger|youngest|little|big|twin|step|half|other|new|dear|lovely) )?(?:{_kin})"
)
NUMBER = (
    r"(?:[£$€¥]\s?)?\d[\d,]*(?:\.\d+)?(?::\d\d){0,2}(?:/\d+)?\s?(?:%|k\b|°[CF]?)?|"
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|"
    r"eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|"
    r"seventy|eighty|ninety|a hundred|a dozen)(?:-\w+)?\b"
)
STOP = (
    r"and|but|because|cause(?= (?:i|it|it's|i'm|we|he|she|they|you|my|the)\b)|'cause|cuz|"
    r"coz|so|which|that|who|when|whenever|while|where|since|as|if|unless|though|"
    r"although|after|before|until|till|for|with|at|on|in|from|by|than|or|due|despite|during|lately|yesterday|today|"
    r"tomorrow|tonight|last|next|this|right|even|then|just|to|about|over|via|through|using|thanks|i|i'm|i've|it|it's|"
    r"is|are|was|were|will|would|can|could|has|have|had|not|too|also|anymore|now|considering|especially|instead|"
    r"ago|recently|already|he|she|we|they|you|what|how|once|without|during|within|around|because|except"
)
MARK = r"\s*(?:[.,:](?!\w)|[;!?()\[\]…—–\"*]|\s-\s|-\s|$)"
"""Where a clause ends."""
END = rf"(?=\s*{MARK}|\s+(?-i:{STOP})\b)"
LONG_END = (
    rf"(?=\s*{MARK}|\s+and (?:i|it|we|he|she|they|you|my|our|the|that|this|there|then|now|"
    rf"so|have|am|is|are|was|will|would|"
    r"can|could|even|also|really|just|want|need|hope|think|plan|try|always|never|been|got|"
    r"had|do|did|feel|don't|can't|"
    r"i'm|i've|it's|has|what|how|were|could|looking|hoping|thinking|considering|trying|wondering)\b|"
    r"\s+and(?= [\w'-]+(?: [\w'-]+){4})|\s+(?:but|because|cause(?= (?:i|it|it's|i'm|we|he|"
    r"she|they|you|my|the)\b)|'cause|cuz|so|which|who|when|whenever|while|"
    r"where|since|if|unless|though|although|until|till|i|i'm|it's|even|then|lately|yesterday|today|tomorrow|tonight|"
    r"last|next|this|anymore|now|considering|especially|ago|too|these)\b)"
)
_WORD = r"[^\W_][\w'’&/+.-]*?"
THING = rf"(?P<o>{_WORD}(?: {_WORD}){{0,7}}?){END}"
"""A noun phrase that ends where a preposition, a conjunction or a mark comes."""
PHRASE = rf"(?P<o>{_WORD}(?: {_WORD}){{0,9}}?){LONG_END}"
"""A noun phrase with what belongs to it, up to a conjunction or a mark."""
