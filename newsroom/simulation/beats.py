"""What the simulated newsroom writes about: for each section its subjects, and sentences with slots for the facts of a
story.

Slots: {place} {body} {Body} {subject} {figure} {other_figure} {official} {title} {critic} {critic_title} {day}
{body} and {Body} name an organisation within and at the start of a sentence; {subject} is what the story is about.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Angle:
    """What a story says: headlines that tell the same, and the paragraph that opens it."""

    headlines: tuple[str, ...]
    lead: str


@dataclass(frozen=True, slots=True)
class Beat:
    section: str
    bodies: tuple[str, ...]
    subjects: tuple[str, ...]
    officials: tuple[str, ...]
    critics: tuple[str, ...]
    figures: tuple[str, ...]
    angles: tuple[Angle, ...]
    details: tuple[str, ...]
    quotes: tuple[str, ...]
    tags: tuple[str, ...]


PLACES = (
    "Harrowgate",
    "Lydford",
    "Port Ashby",
    "Kelmere",
    "Stanholt",
    "Wexcombe",
    "Dunmoor",
    "East Calder",
    "Millbrook",
    "Penhallow",
    "Thornaby Bay",
    "St Osyth",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
SURNAMES = (
    "Whitcombe",
    "Adeyemi",
    "Larsen",
    "Okafor",
    "Fairley",
    "Gupta",
    "Morrow",
    "Steiner",
    "Vaughan",
    "Castellano",
    "Beaumont",
    "Rhys",
    "Novak",
    "Tennant",
    "Iqbal",
    "Douglas",
)
FORENAMES = (
    "Helen",
    "Samuel",
    "Ruth",
    "Imran",
    "Charlotte",
    "Daniel",
    "Olu",
    "Beatrice",
    "George",
    "Mina",
    "Patrick",
    "Elif",
    "Robert",
    "Sunita",
    "Mark",
    "Catrin",
)

BEATS = (
    Beat(
        "Politics",
        ("the county council", "the transport committee", "the housing department", "the borough cabinet"),
        (
            "the congestion charge",
            "the social housing plan",
            "the school merger",
            "the new ward map",
            "the flood defence budget",
        ),
        ("council leader", "cabinet member for finance", "committee chair"),
        ("leader of the opposition", "residents' spokesman", "union convener"),
        ("£4.2m", "£11m", "£860,000", "£27m", "£1.9m"),
        (
            Angle(
                (
                    "{place} councillors back {subject} after late-night vote",
                    "{subject_start} will go ahead, {place} decides",
                    "Late-night vote in {place} clears the way for {subject}",
                ),
                (
                    "{Body} in {place} voted on {day} to press ahead with {subject}, despite warnings that the "
                    "bill could reach {figure}."
                ),
            ),
            Angle(
                (
                    "{subject_start} delayed as {place} counts the cost",
                    "{place} puts off {subject} as bill reaches {figure}",
                    "Cost of {subject} forces a pause in {place}",
                ),
                (
                    "A decision on {subject} has been put off after {body} in {place} admitted that the cost "
                    "had risen to {figure}."
                ),
            ),
            Angle(
                (
                    "{place} to consult again on {subject}",
                    "Second consultation on {subject} after criticism in {place}",
                    "{place} asks residents again about {subject}",
                ),
                (
                    "{place} faces a second consultation on {subject} after {body} conceded that the first had "
                    "reached too few people."
                ),
            ),
        ),
        (
            (
                "Papers published before the meeting put the cost at {figure}, up from an estimate of "
                "{other_figure} a year ago."
            ),
            "The vote was carried by a margin of three after more than four hours of debate.",
            "Officers had recommended a phased start, beginning with the streets nearest the station.",
            "The proposal will return to {body} in the spring, when the final figures are due.",
            "A petition against {subject} has gathered more than 6,000 signatures since {day}.",
            "The government has offered to match local spending, but only if work begins before April.",
        ),
        (
            (
                "“Nobody stood for election to do nothing,” said {official}, the {title}. “{subject_start} is "
                "overdue, and we can afford it.”"
            ),
            (
                "{critic}, the {critic_title}, called the decision reckless. “They have not read their own "
                "report,” {critic_last} said."
            ),
            "“We will look at every response,” said {official}, the {title}. “But we will not consult for ever.”",
        ),
        ("council", "budget", "housing", "transport", "elections"),
    ),
    Beat(
        "Business",
        ("the harbour authority", "the chamber of commerce", "the region's largest employer", "the building society"),
        (
            "the shipyard order",
            "the battery plant",
            "the market hall refurbishment",
            "the pay settlement",
            "the ferry contract",
        ),
        ("chief executive", "finance director", "managing director"),
        ("analyst at Corder & Pike", "shop steward", "former board member"),
        ("£38m", "£7.5m", "£112m", "£640,000", "£15m"),
        (
            Angle(
                (
                    "{place} wins {subject} in {figure} deal",
                    "Jobs promised as {subject} is signed in {place}",
                    "{subject_start} secured: what it means for {place}",
                ),
                (
                    "{Body} has secured {subject} in a deal worth {figure}, ending months of uncertainty for "
                    "workers in {place}."
                ),
            ),
            Angle(
                (
                    "Doubts grow over {subject} as costs reach {figure}",
                    "Investors cool on {subject} in {place}",
                    "Shares fall as {subject} in {place} grows dearer",
                ),
                (
                    "Shares in the company behind {subject} fell sharply on {day} after it said that costs at "
                    "{place} would reach {figure}."
                ),
            ),
            Angle(
                (
                    "Final week of talks over {subject} in {place}",
                    "Hundreds of jobs hang on {subject} in {place}",
                    "{place} waits for word on {subject}",
                ),
                (
                    "Hundreds of jobs in {place} depend on {subject}, {body} said on {day}, as talks entered "
                    "their final week."
                ),
            ),
        ),
        (
            (
                "The agreement is worth {figure} over five years and replaces one of {other_figure} that "
                "expired in the summer."
            ),
            "About 340 people work at the site, most of them from within ten miles of {place}.",
            "The order book is now full until the end of next year, according to the company.",
            "Suppliers were told by letter on {day}, and several have begun to hire.",
            "Interest rates have made borrowing for such projects more expensive than at any time in a decade.",
            "A rival bid of {other_figure} was withdrawn at the last moment.",
        ),
        (
            "“This is a vote of confidence in {place},” said {official}, the {title}.",
            (
                "{critic}, an {critic_title}, was less sure. “The margin is thin, and {figure} is a great deal "
                "of money,” {critic_last} said."
            ),
            "“We said that we would not sign at any price, and we have not,” said {official}, the {title}.",
        ),
        ("jobs", "economy", "industry", "investment", "shipping"),
    ),
    Beat(
        "Local",
        ("the fire service", "the water company", "the parish council", "the hospital trust"),
        (
            "the burst main in Bridge Street",
            "the warehouse fire",
            "the closure of the swimming baths",
            "the night bus",
            "the footbridge repair",
        ),
        ("station commander", "area manager", "parish clerk"),
        ("shopkeeper", "head teacher", "mother of three"),
        ("200 homes", "1,400 homes", "60 residents", "3,000 passengers", "450 pupils"),
        (
            Angle(
                (
                    "{subject_start} leaves {figure} in {place} waiting",
                    "Weekend of disruption in {place} after {subject}",
                    "{place}: {figure} still affected by {subject}",
                ),
                (
                    "{subject_start} has disrupted life for {figure} in {place}, and {body} says that it will "
                    "be the weekend before all is well again."
                ),
            ),
            Angle(
                (
                    "{place} residents demand answers over {subject}",
                    "Packed meeting in {place} hears anger over {subject}",
                    "What we know about {subject} in {place}",
                ),
                "People in {place} packed the village hall on {day} to ask {body} about {subject}.",
            ),
            Angle(
                (
                    "Apology to {figure} over {subject} in {place}",
                    "“We are sorry”: {place} told why {subject} took so long",
                    "Relief in {place}, and an apology, over {subject}",
                ),
                "{Body} apologised on {day} to {figure} affected by {subject} in {place}.",
            ),
        ),
        (
            "At its height the disruption reached {figure}; by the evening it was down to {other_figure}.",
            "Nobody was hurt, and an investigation has begun.",
            "Bottled water and blankets were handed out at the leisure centre until midnight.",
            "The road was reopened to traffic shortly before 6am.",
            "{Body} has set up a telephone line for those who need help.",
            "It is the third such incident in {place} since the new year.",
        ),
        (
            (
                "“Our crews worked through the night,” said {official}, {title} in {place}. “We are grateful "
                "for people's patience.”"
            ),
            (
                "“It was the silence that worried us,” said {critic}, a {critic_title}. “Nobody told us "
                "anything until noon.”"
            ),
            "“We will learn from this,” said {official}, the {title}, “and we will publish what we learn.”",
        ),
        ("emergency services", "roads", "schools", "health", "weather"),
    ),
    Beat(
        "Science",
        ("the university", "the marine laboratory", "the observatory", "the national museum"),
        (
            "the seagrass survey",
            "the bronze-age longboat",
            "the heat-pump trial",
            "the asthma study",
            "the comet watch",
        ),
        ("lead author", "professor of ecology", "head of collections"),
        ("reader in statistics at another university", "retired geologist", "independent reviewer"),
        ("12%", "a third", "4,800 samples", "19%", "2,300 volunteers"),
        (
            Angle(
                (
                    "What {subject} tells us about the next decade",
                    "Scientists in {place} publish first results of {subject}",
                    "First results of {subject} confound expectations",
                ),
                (
                    "Researchers at {body} in {place} have published the first results of {subject}, and they "
                    "are not what anybody expected."
                ),
            ),
            Angle(
                (
                    "{subject_start} surprises researchers in {place}",
                    "After six years, {subject} has an answer",
                    "{figure}: the number that {subject} was not meant to find",
                ),
                (
                    "After six years, {subject} has produced an answer: {body} in {place} reported a change of "
                    "{figure}, far more than models had foretold."
                ),
            ),
            Angle(
                (
                    "Why {subject} matters",
                    "{subject_start} enters its last phase in {place}",
                    "The view from {place}: the last days of {subject}",
                ),
                (
                    "A corner of {place} has become the centre of attention for {body}, where {subject} "
                    "entered its last phase on {day}."
                ),
            ),
        ),
        (
            "The paper, published on {day}, reports {figure}; an earlier study had found {other_figure}.",
            "The team repeated each measurement three times and published its data together with the article.",
            "Funding for a second phase has been agreed until 2029.",
            "The method was developed for an entirely different purpose, the study of river sediments.",
            "The results have yet to be repeated elsewhere, and the authors advise caution.",
            "Volunteers from {place} collected most of the material on winter mornings.",
        ),
        (
            (
                "“We checked it, and then we checked it again,” said {official}, the {title}. “The effect did "
                "not go away.”"
            ),
            (
                "{critic}, a {critic_title} who took no part in the work, said that it was careful. “I should "
                "like to see it repeated,” {critic_last} added."
            ),
            "“The honest answer is that we do not know yet,” said {official}, the {title}.",
        ),
        ("research", "climate", "archaeology", "health", "astronomy"),
    ),
    Beat(
        "Sport",
        ("the club", "the county side", "the league", "the athletics federation"),
        ("the cup replay", "the relegation battle", "the stadium move", "the captain's injury", "the half-marathon"),
        ("head coach", "club chairman", "team doctor"),
        ("supporters' chair", "former captain", "opposing manager"),
        ("2–1", "3–0", "4–3", "1–0", "2–2"),
        (
            Angle(
                (
                    "{place} hold their nerve in {subject}",
                    "Comeback in {place}: {figure}, and a word on {subject}",
                    "{place} come from behind to end {figure}",
                ),
                "{place} came from behind on {day} to end {figure}, in a match that said a good deal about {subject}.",
            ),
            Angle(
                (
                    "{place} coach plays down {subject} after {figure}",
                    "No hiding from {subject} as {place} are left with {figure}",
                    "Late drama in {place} turns on a single mistake",
                ),
                "There was no hiding from {subject} in {place} on {day}, when {figure} flattered the visitors.",
            ),
            Angle(
                (
                    "Decision on {subject} due next week",
                    "{subject_start}: five things we learned in {place}",
                    "{figure} in {place} changes the mood over {subject}",
                ),
                (
                    "{Body} will decide next week about {subject}, but the {figure} at {place} on {day} has "
                    "changed the mood."
                ),
            ),
        ),
        (
            "The score was {figure}, where the same fixture a year ago had ended {other_figure}.",
            "A crowd of 8,412, the largest of the season, stayed to the end in steady rain.",
            "The equaliser came in the 71st minute, from a corner that should never have been given away.",
            "Two players are doubtful for the weekend, and a third will certainly miss it.",
            "{place} have now gone nine matches unbeaten.",
            "Tickets for the return match go on sale on {day}.",
        ),
        (
            "“I have said all season that we would be judged in the spring,” said {official}, the {title}.",
            "“They wanted it more than we did,” said {critic}, the {critic_title}. “It is as simple as that.”",
            "“Ask me again in a week,” said {official}, the {title}, and left it there.",
        ),
        ("football", "athletics", "cricket", "injuries", "transfers"),
    ),
    Beat(
        "Culture",
        ("the opera house", "the film festival", "the city library", "the folk museum"),
        (
            "the opening night of The Drowned Bell",
            "the touring retrospective",
            "the archive of letters",
            "the revival of the mystery plays",
            "the book prize shortlist",
        ),
        ("artistic director", "curator", "festival director"),
        ("critic and broadcaster", "novelist", "composer"),
        ("18,000 visitors", "230 letters", "41 films", "£95,000", "six novels"),
        (
            Angle(
                (
                    "Review: {subject} finds its voice in {place}",
                    "Standing ovation in {place} for {subject}",
                    "How {subject} came to {place}",
                ),
                (
                    "It began with {figure} and a leaking roof; on {day}, {subject} opened in {place} to a "
                    "standing ovation."
                ),
            ),
            Angle(
                (
                    "{place} prepares for {subject}",
                    "{place} announces {subject}, its boldest undertaking yet",
                    "A generation's boldest plan: {subject} in {place}",
                ),
                "{Body} in {place} has announced {subject}, its boldest undertaking in a generation, with {figure}.",
            ),
            Angle(
                (
                    "{subject_start} draws crowds, and questions, in {place}",
                    "Full house in {place} until Easter for {subject}",
                    "An answer to the doubters in {place}",
                ),
                "For those who doubted {body}, {subject} offers an answer: {figure}, and a house full until Easter.",
            ),
        ),
        (
            "The programme lists {figure}, compared with {other_figure} at the last attempt.",
            "The restored hall seats 620, and every seat has been sold until the end of the month.",
            "Much of the money was raised in {place} itself, by subscription.",
            "A catalogue with essays by eleven hands appears in June.",
            "The lighting, at first severe, softens as the evening goes on.",
            "There will be free admission on {day} for those under 25.",
        ),
        (
            "“One does not restore such a thing, one listens to it,” said {official}, the {title}.",
            (
                "{critic}, {critic_title}, found it uneven but alive. “I would not have missed the second "
                "half,” {critic_last} wrote."
            ),
            (
                "“People told us that {place} was too small for this,” said {official}, the {title}. “We never "
                "thought so.”"
            ),
        ),
        ("opera", "film", "books", "museums", "reviews"),
    ),
)

STANDFIRSTS = (
    "{Body} and its critics are far apart, and {figure} is at stake",
    "What happened in {place}, who says what, and what comes next",
    "{official}, the {title}, defends it; others are not persuaded",
    "Our correspondent in {place} on a week that few there will forget",
    "From {other_figure} to {figure}: how it came to this",
)
BACKGROUND = (
    "The matter was first reported by this newspaper last autumn.",
    "A spokesman declined to comment further on {day}.",
    "A full report is expected before the end of the month.",
    "Similar plans elsewhere have had mixed results.",
    "More follows as we receive it.",
    "The next meeting is open to the public.",
)
BREAKING_UPDATES = (
    "{Body} has confirmed the figure of {figure} and promised a statement within the hour.",
    "{official}, the {title}, has arrived in {place} and is speaking to reporters.",
    "Witnesses in {place} describe a calm scene; earlier reports on social media were wrong.",
    "{critic}, a {critic_title}, has called for an inquiry.",
    "The figure has been revised to {other_figure}. We have changed the text below.",
    "Roads into {place} have been reopened.",
    "A second statement is expected from {body} this evening.",
)

# What sub-editors put right, wrong → right: words that reporters mistype, and words the style book does not like.
MISTYPED = (
    ("government", "goverment"),
    ("received", "recieved"),
    ("committee", "commitee"),
    ("the end", "teh end"),
    ("until", "untill"),
    ("before", "befroe"),
    ("published", "publised"),
    ("according", "acording"),
    ("which", "wich"),
    ("because", "becuase"),
)
STYLE = (
    ("press ahead with", "go ahead with"),
    ("a great deal of", "a lot of"),
    ("said that it would", "said it would"),
    ("despite warnings that", "though warned that"),
    ("in a deal worth", "in a contract worth"),
    ("sharply", "steeply"),
    ("hundreds of", "several hundred"),
    ("admitted that", "said that"),
    ("shortly before", "just before"),
    ("entirely", "wholly"),
    ("was put off", "was postponed"),
    ("according to", "said"),
)
