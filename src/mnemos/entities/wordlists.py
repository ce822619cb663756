"""Short lists of words that say what a capital means: words that are never names, and words that tell kinds apart."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP = _words(
    # grammar
    "a an the this that these those i i'm i've i'd i'll im ive my mine me myself you you're you've you'd you'll your "
    "yours u ur he he's he'd he'll him his she she's she'd she'll her hers it it's it'd it'll its we we're we've we'd "
    "we'll us our ours they they're they've they'd they'll them their theirs who who's whom whose what what's which "
    "when when's where where's why how how's there there's here here's then than thus so but and or nor yet if unless "
    "until while because since although though as at by for from in into of off on onto out over to under up with "
    "without about above across after against along among around before behind below beneath beside besides between "
    "beyond despite down during except inside like near outside past per through throughout toward towards upon via "
    "within is isn't are aren't am was wasn't were weren't be been being do does did don't doesn't didn't done doing "
    "have has had haven't hasn't hadn't having can can't cannot could couldn't will won't would wouldn't shall should "
    "shouldn't may might must mustn't let let's lets not no nope none nothing nobody never ever every everyone "
    "everything each either neither both all any anyone anything some someone something somebody few many much more "
    "most less least other others another such same own too very just only also even still already again now today "
    "tonight tomorrow yesterday later soon maybe perhaps however therefore moreover meanwhile otherwise instead one "
    "two three four five six seven eight nine ten first second third last next once twice "
    # greetings, feelings, fillers
    "hey hi hiya hello hallo howdy dear thanks thank thx ty cheers congrats congratulations welcome sorry please yes "
    "yeah yep yup yay ya yo ok okay oh ooh oof ouch ah aha aw aww awww wow whoa woah omg lol lmao haha hahaha hehe ha "
    "hmm hm huh um uh er gosh gee jeez damn ugh phew hooray hurray bravo woo wohoo woohoo bye goodbye goodnight "
    "morning  evening night sure true right great good nice cool awesome amazing fantastic wonderful perfect "
    "excellent brilliant  lovely exactly absolutely definitely totally certainly indeed agreed fine well anyway "
    "anyways btw fyi asap ps nb  eg ie etc aka tbh imo imho idk lets gonna wanna gotta glad happy love hope keep take "
    "make go get see look feel  think know say says said try "
    # the calendar
    "january february march april june july august september october november december jan feb mar apr jun jul aug "
    "sep  sept oct nov dec monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs "
    "fri sat  sun mondays tuesdays wednesdays thursdays fridays saturdays sundays spring summer autumn fall winter "
    "weekend  christmas xmas easter halloween thanksgiving hanukkah diwali ramadan eid new year years eve day days "
    "week weeks  month months valentine's am pm est pst utc gmt bst "
    # whom one calls without a name, and words that stand in for names
    "mom mum mam mommy mummy ma mama dad daddy pa papa pop grandma grandpa granny gran nana grandad granddad nan sis "
    "bro buddy bud pal mate dude guys folks man girl honey babe baby sweetie god lord jesus sir madam ma'am boss kids "
    "internet wifi wi-fi web tv ai it's ok pic pics photo video image id ids url api apis usa's note example tip tips "
    "step steps part chapter section page figure table question answer option options q faq pros cons summary total "
    "date time name title location address phone email cc re subject regards sincerely best yours"
)
"""Never a name by itself, however it is written (folded, with apostrophes)."""

PEOPLES = _words(
    "english british scottish irish welsh american canadian mexican french german spanish italian portuguese dutch "
    "belgian swiss austrian swedish norwegian danish finnish icelandic polish czech slovak hungarian romanian "
    "bulgarian greek turkish russian ukrainian serbian croatian arab arabic hebrew israeli jewish persian iranian "
    "iraqi indian pakistani chinese japanese korean vietnamese thai filipino indonesian malaysian mandarin cantonese "
    "hindi urdu bengali tamil african asian european latin latino latina hispanic brazilian argentine argentinian "
    "chilean colombian peruvian cuban jamaican egyptian moroccan nigerian kenyan ethiopian australian aboriginal "
    "victorian georgian christian catholic protestant muslim islamic buddhist hindu sikh western eastern northern "
    "southern mediterranean nordic celtic balinese caribbean scandinavian americans brits germans russians italians "
    "hawaiian native roman medieval gothic renaissance baroque lgbtq lgbtq+ black white"
)
"""Peoples, languages and styles: no names by themselves, but parts of longer ones."""

TITLES = _words(
    "mr mrs ms miss mx dr doctor prof professor sir dame lady lord rev reverend father fr sister brother captain capt "
    "sgt sergeant colonel general judge senator president aunt auntie aunty uncle grandma grandpa granny coach"
)
"""Stand before a person's name and belong to it."""

INITIAL_TITLES = _words("mr mrs ms mx dr prof rev fr st capt sgt")
"""Titles whose full stop ends no sentence."""

PARTICLES = _words("of de da do dos das del della di du la le les los las van von der den ter bin ibn al el y e &")
"""Small words inside names."""

KIN = _words(
    "sister brother mother father mum mom dad mam daughter son aunt uncle cousin niece nephew wife husband partner "
    "girlfriend boyfriend fiance fiancé fiancée fiancee grandmother grandfather grandma grandpa granny nan "
    "granddaughter grandson stepmother stepfather friend friends bestie buddy pal mate flatmate roommate housemate "
    "neighbor neighbour colleague coworker co-worker boss manager mentor teacher tutor instructor coach therapist "
    "doctor dentist nurse vet landlord classmate teammate trainer babysitter nanny assistant client twin sibling baby "
    "ex solicitor lawyer plumber hairdresser supervisor professor advisor accountant agent editor author writer "
    "artist singer musician painter director actor actress poet architect photographer chef guy girl woman man kid "
    "boy"
)
"""Who a person is to somebody; stands right before a name."""

ANIMALS = _words(
    "dog dogs cat cats puppy puppies kitten kittens pup pups doggo kitty pet pets horse pony hamster rabbit bunny "
    "parrot budgie turtle tortoise goldfish snake gecko lizard ferret hedgehog chicken hen goat donkey sheepdog "
    "labrador retriever shepherd spaniel terrier collie poodle beagle husky whippet greyhound dachshund corgi tabby "
    "guinea-pig"
)

PLACE_HEADS = _words(
    "street road avenue lane drive boulevard park lake loch river mountain mountains mount beach island islands isle "
    "bay hospital clinic school university college academy museum gallery airport station bridge castle church "
    "cathedral abbey temple mosque square plaza hotel inn hostel cafe café restaurant bistro bakery bar pub canyon "
    "valley falls waterfall forest woods county city town village terrace hall gardens garden theatre theater stadium "
    "arena market mall library coast peninsula desert sea ocean glacier volcano trail peak hill hills heights "
    "district quarter harbour harbor port pier zoo aquarium ranch farm vineyard winery resort tower palace monument "
    "memorial cemetery shelter center centre gym studio court close crescent rink"
)
THING_HEADS = _words(
    "marathon race award awards festival company inc ltd llc corp corporation group foundation club band orchestra "
    "choir app project bank conference summit series book report prize cup league team fund trust society association "
    "institute magazine journal times post news radio podcast show game games movie film album song express airlines "
    "airways bible act agreement treaty war revolution day week press records studios studio's phone watch console "
    "dance method theory principle framework technique matrix box service services agency network program programme "
    "initiative campaign challenge sanctuary media solutions systems technologies partners consulting"
)

PLACE_PREPOSITIONS = _words(
    "in near around visit visited visiting visits across outside explore explored exploring toward towards"
)
GOING = _words("to from at through via leaving left reached reach")
"""Before places more often than before people."""

SPEAKING = _words(
    "said says told tells asked asks thinks thought loves loved likes hates wants wanted called texted emailed "
    "suggested mentioned recommended agreed replied laughed smiled cried invited advised insisted knows believes who "
    "whom"
)
"""After a person's name."""

GREETINGS = _words(
    "hey hi hiya hello thanks thank you congrats congratulations dear sorry bye goodbye welcome cheers yo morning "
    "goodnight happy luck"
)
"""Before the name of the one spoken to."""

AMBIGUOUS = _words(
    "will mark may june april august grace hope rose art bill rich frank jack joy faith dawn ruby amber ivy lily "
    "violet daisy olive holly heather ginger crystal pearl jade summer autumn robin jay drew chase grant pat sue rob "
    "don ray gene dean earl king prince page banks young long short brown white black green gray hill wood stone bush "
    "park lake reed cook carter ward bailey turkey china chile jordan georgia reading nice bath cork mobile orange "
    "phoenix java apple amazon target friends matrix sims excel python rust swift ruby slack notion stripe asana "
    "wright walker taylor cooper turner miller parker foster baker fisher mason hunter max christian roger pierce "
    "miles lance dale glen clay cliff brook iris hazel sage sky star angel destiny melody harmony trinity liberty "
    "victoria florence sydney austin dallas lee ling ming ali jean marina moss lane marvel titanic avatar gladiator "
    "friends ted odyssey monopoly barbie canon intel zoom bootstrap flask django react angular docker swift kotlin "
    "ruby php swift chrome safari firefox stripe puma jaguar ring nest echo bosch porto granada valencia lyon mali "
    "niger guinea panama jersey mars venus mercury earth moon sun wei min jan jun luis sam sims jo kit kat bob nick "
    "rob harry dan bobby nan cross perry lima java bali crete corsica sicily essex kent bern cologne tulip sakura mei "
    "noor costa silva park philips dell shell visa discover flores diaz luna nova nike rosa clara"
)
"""Names that are common words too, or short: not believed at the start of a sentence or in small letters alone."""
