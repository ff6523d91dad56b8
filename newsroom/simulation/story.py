"""One story: its facts, and its text as it grows, is mended, corrected and updated.

The same facts run through headline, text and corrections; the random source alone decides, so a seed tells the same
story.
"""

from datetime import datetime
from random import Random

from newsroom.simulation import beats
from newsroom.simulation.beats import Beat

_SITTING = 2
_UPDATES_AT_ONCE = 4


class Story:
    """Changes of the text are methods; each says whether it changed anything."""

    def __init__(self, rng: Random, beat: Beat):
        self.rng = rng
        self.beat = beat
        self.facts = _facts(rng, beat)
        angle = rng.choice(beat.angles)
        self.headlines = [headline.format(**self.facts) for headline in angle.headlines]
        self.headline = self.headlines[0]
        self.standfirst = ""
        self.paragraphs: list[str] = []
        self.unwritten = [self._told(template) for template in (angle.lead, *_outline(rng, beat))]
        self.updates = rng.sample(beats.BREAKING_UPDATES, len(beats.BREAKING_UPDATES))
        self.is_corrected = False
        self.tags = rng.sample(beat.tags, rng.randint(1, 2))

    @property
    def body(self) -> str:
        return "".join(f"<p>{paragraph}</p>" for paragraph in self.paragraphs)

    def write_more(self) -> bool:
        """The reporter's next paragraphs, now and then with a slip of the keyboard."""
        paragraphs = self.unwritten[: self.rng.randint(1, _SITTING)]
        del self.unwritten[: len(paragraphs)]
        self.paragraphs += [self._mistyped(paragraph) for paragraph in paragraphs]
        return bool(paragraphs)

    def write_standfirst(self) -> bool:
        before, self.standfirst = self.standfirst, self.rng.choice(beats.STANDFIRSTS).format(**self.facts)
        return self.standfirst != before

    def change_headline(self) -> bool:
        before, self.headline = self.headline, self.rng.choice(self.headlines)
        return self.headline != before

    def mend_slips(self) -> bool:
        """What a sub-editor does first."""
        return self._replace_all([(wrong, right) for right, wrong in beats.MISTYPED])

    def apply_style(self) -> bool:
        """One word or phrase for another, where the text has one that the style book dislikes."""
        present = [pair for pair in beats.STYLE if any(pair[0] in paragraph for paragraph in self.paragraphs)]
        return bool(present) and self._replace_all([self.rng.choice(present)])

    def correct_figure(self) -> bool:
        """The figure was wrong: it changes wherever it stands, and a note says so. Once is embarrassing enough."""
        wrong = self.facts["figure"]
        if self.is_corrected or not any(wrong in paragraph for paragraph in self.paragraphs):
            return False
        right = self.rng.choice(
            [figure for figure in self.beat.figures if figure not in (wrong, self.facts["other_figure"])]
        )
        self._replace_all([(wrong, right)])
        self.headlines = [headline.replace(wrong, right) for headline in self.headlines]
        self.headline, self.standfirst = self.headline.replace(wrong, right), self.standfirst.replace(wrong, right)
        self.facts["figure"], self.is_corrected = right, True
        self.paragraphs.append(
            f"<em>Correction: an earlier version of this article gave the figure as {wrong}. It is {right}.</em>"
        )
        return True

    def update(self, now: datetime) -> bool:
        """A paragraph with the time, above the text, as a breaking story gets them; the oldest make room."""
        if not self.updates:
            return False
        running = [paragraph for paragraph in self.paragraphs if paragraph.startswith("<strong>")]
        if len(running) == _UPDATES_AT_ONCE:
            self.paragraphs.remove(running[-1])
        self.paragraphs.insert(0, f"<strong>Update, {now:%H:%M}:</strong> {self._told(self.updates.pop())}")
        return True

    def add_background(self) -> bool:
        """A sentence that was not there before, at the end of the text proper."""
        fresh = [text for text in map(self._told, (*self.beat.details, *beats.BACKGROUND)) if text not in self.body]
        if not fresh:
            return False
        self.paragraphs.insert(max(1, len(self.paragraphs) - 1), self.rng.choice(fresh))
        return True

    def cut(self) -> bool:
        if len(self.paragraphs) < 7:
            return False
        del self.paragraphs[self.rng.randrange(2, len(self.paragraphs) - 1)]
        return True

    def swap_tag(self) -> bool:
        spare = [tag for tag in self.beat.tags if tag not in self.tags]
        self.tags = [*self.tags[-2:], self.rng.choice(spare)]
        return True

    def _told(self, template: str) -> str:
        return template.format(**self.facts).replace("&", "&amp;")

    def _mistyped(self, paragraph: str) -> str:
        right, wrong = self.rng.choice(beats.MISTYPED)
        return paragraph.replace(right, wrong, 1) if self.rng.random() < 0.6 else paragraph

    def _replace_all(self, pairs: list[tuple[str, str]]) -> bool:
        before = list(self.paragraphs)
        for old, new in pairs:
            self.paragraphs = [paragraph.replace(old, new) for paragraph in self.paragraphs]
        return self.paragraphs != before


def _outline(rng: Random, beat: Beat) -> list[str]:
    """What follows the lead: details, the voices of both sides between them, then what came before."""
    details = rng.sample(beat.details, rng.randint(4, len(beat.details)))
    first, second = rng.sample(beat.quotes, 2)
    paragraphs = [f"{one} {other}" for one, other in zip(details[::2], details[1::2], strict=False)]
    paragraphs.insert(1, first)
    return [*paragraphs, second, rng.choice(beats.BACKGROUND)]


def _facts(rng: Random, beat: Beat) -> dict[str, str]:
    body, subject = rng.choice(beat.bodies), rng.choice(beat.subjects)
    figure, other_figure = rng.sample(beat.figures, 2)
    forenames, surnames = rng.sample(beats.FORENAMES, 2), rng.sample(beats.SURNAMES, 2)
    return {
        "place": rng.choice(beats.PLACES),
        "body": body,
        "Body": _capitalised(body),
        "subject": subject,
        "subject_start": _capitalised(subject),
        "figure": figure,
        "other_figure": other_figure,
        "official": f"{forenames[0]} {surnames[0]}",
        "title": rng.choice(beat.officials),
        "critic": f"{forenames[1]} {surnames[1]}",
        "critic_last": surnames[1],
        "critic_title": rng.choice(beat.critics),
        "day": rng.choice(beats.DAYS),
    }


def _capitalised(phrase: str) -> str:
    return phrase[0].upper() + phrase[1:]
