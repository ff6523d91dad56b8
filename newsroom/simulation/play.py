"""A newsroom at work, one save a step, each by the person who would do it.

Reporters write drafts in several sittings; sub-editors correct and restyle what is in review; desk editors choose
headlines and tags, publish or schedule; published articles are corrected and updated, sometimes taken down; and now and
then one story breaks, and everybody works on it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from django.utils import timezone
from django.utils.text import slugify

import audittrail
from newsroom import workflow
from newsroom.actors import author_actor
from newsroom.models import Article, Credit, Section, Status, Tag
from newsroom.simulation.beats import BEATS
from newsroom.simulation.cast import DESK_EDITOR, REPORTER, SUB_EDITOR, Member, hire
from newsroom.simulation.story import Story

CHANNEL = "simulation"
OPEN_AT_ONCE = 12
_BREAKING_CHANCE = 0.1
_BREAKING_SAVES = (12, 35)
_BREAKING_SECTIONS = ("Politics", "Business", "Local")
_BREAKING_SHARE = 0.7


@dataclass(slots=True)
class Piece:
    """An article under way: its row, its story, who wrote it, and how many more steps its present status lasts."""

    article: Article
    story: Story
    reporter: Member
    credited: list[Member] = field(default_factory=list)
    steps: int = 3


class Newsroom:
    """`articles`: how many to write altogether; None for no end."""

    def __init__(self, rng: Random, articles: int | None = None):
        self.rng = rng
        self.left = articles
        self.cast = hire()
        self.sections = {beat.section: _section(beat.section) for beat in BEATS}
        self.tags = {tag: Tag.objects.get_or_create(name=tag)[0] for beat in BEATS for tag in beat.tags}
        self.open: list[Piece] = []
        self.breaking: Piece | None = None
        self.breaking_saves = 0

    @property
    def is_finished(self) -> bool:
        return self.left == 0 and not self.open

    def step(self) -> str:
        """Make one save; returns what was done, for people."""
        if self._wants_another():
            return self._commission()
        piece = self._next_piece()
        return self._STEPS[Status(piece.article.status)](self, piece)

    def _wants_another(self) -> bool:
        if self.left == 0 or len(self.open) >= OPEN_AT_ONCE:
            return False
        return not self.open or self.rng.random() < 0.25

    def _next_piece(self) -> Piece:
        if self.breaking in self.open and self.breaking_saves and self.rng.random() < _BREAKING_SHARE:
            self.breaking_saves -= 1
            return self.breaking
        piece = self.rng.choice(self.open)
        if not self.breaking_saves and self._may_break(piece) and self.rng.random() < _BREAKING_CHANCE:
            self.breaking, self.breaking_saves = piece, self.rng.randint(*_BREAKING_SAVES)
            piece.steps += self.breaking_saves
        return piece

    @staticmethod
    def _may_break(piece: Piece) -> bool:
        return piece.article.status == Status.PUBLISHED and piece.story.beat.section in _BREAKING_SECTIONS

    def _commission(self) -> str:
        beat = self.rng.choice(BEATS)
        reporters = [member for member in self.cast if member.role == REPORTER and member.desk == beat.section]
        reporter, story = self.rng.choice(reporters), Story(self.rng, beat)
        article = Article(headline=story.headline, slug=_free_slug(story.headline), section=self.sections[beat.section])
        piece = Piece(article, story, reporter, [reporter], steps=self.rng.randint(1, 3))
        story.write_more()
        self._save(piece, reporter)
        self.open.append(piece)
        self.left = None if self.left is None else self.left - 1
        return self._said(reporter, "began", piece)

    def _draft(self, piece: Piece) -> str:
        if piece.story.write_more():
            return self._edit(piece, piece.reporter, "wrote more of")
        piece.steps -= 1
        if piece.steps <= 0:
            return self._transition(
                piece, piece.reporter, workflow.send_to_review, "sent to review", self.rng.randint(2, 4)
            )
        return self._edit(piece, piece.reporter, "polished", piece.story.write_standfirst, piece.story.apply_style)

    def _in_review(self, piece: Piece) -> str:
        piece.steps -= 1
        if piece.steps > 1:
            return self._edit(
                piece,
                self._somebody(SUB_EDITOR),
                "subbed",
                piece.story.mend_slips,
                piece.story.apply_style,
                piece.story.cut,
            )
        editor = self._somebody(DESK_EDITOR)
        if piece.steps == 1:
            piece.story.write_standfirst()
            return self._edit(piece, editor, "gave a headline to", piece.story.change_headline, piece.story.swap_tag)
        if self.rng.random() < 0.2:
            at = timezone.now() + timedelta(minutes=self.rng.randint(5, 240))
            return self._transition(
                piece, editor, lambda article, user: workflow.schedule(article, user, at), "scheduled", 2
            )
        return self._transition(piece, editor, workflow.publish, "published", self.rng.randint(3, 9))

    def _scheduled(self, piece: Piece) -> str:
        piece.steps -= 1
        if piece.steps > 0:
            return self._edit(piece, self._somebody(SUB_EDITOR), "checked", piece.story.apply_style, piece.story.cut)
        return self._transition(
            piece, self._somebody(DESK_EDITOR), workflow.publish, "published early", self.rng.randint(3, 9)
        )

    def _published(self, piece: Piece) -> str:
        piece.steps -= 1
        if piece.steps <= 0:
            return self._settle(piece)
        if piece is self.breaking and self.breaking_saves:
            return self._break(piece)
        chance, story = self.rng.random(), piece.story
        if chance < 0.06:
            return self._transition(piece, self._somebody(DESK_EDITOR), workflow.unpublish, "took down", 2)
        if chance < 0.14:
            return self._edit(piece, self._somebody(SUB_EDITOR), "corrected", story.correct_figure, story.apply_style)
        if chance < 0.28:
            return self._share_credit(piece)
        if chance < 0.45:
            return self._edit(piece, self._somebody(DESK_EDITOR), "retagged", story.swap_tag)
        return self._edit(piece, piece.reporter, "updated", story.add_background, story.cut)

    def _break(self, piece: Piece) -> str:
        story, chance = piece.story, self.rng.random()
        if chance < 0.15:
            return self._share_credit(piece)
        if chance < 0.35:
            return self._edit(
                piece, self._somebody(DESK_EDITOR), "broke the news in", story.change_headline, story.swap_tag
            )
        if chance < 0.5:
            return self._edit(piece, self._somebody(SUB_EDITOR), "corrected", story.correct_figure, story.mend_slips)
        who = self.rng.choice([piece.reporter, *piece.credited, self._somebody(DESK_EDITOR)])
        return self._edit(
            piece, who, "updated", lambda: story.update(timezone.localtime()), story.add_background, story.cut
        )

    def _settle(self, piece: Piece) -> str:
        self.open.remove(piece)
        if self.rng.random() < 0.25:
            return self._transition(piece, self._somebody(DESK_EDITOR), workflow.archive, "archived", 0)
        return self._edit(piece, self._somebody(SUB_EDITOR), "read once more", piece.story.mend_slips)

    def _share_credit(self, piece: Piece) -> str:
        others = [member for member in self.cast if member.role == REPORTER and member not in piece.credited]
        piece.credited = [*piece.credited[:2], self.rng.choice(others)]
        return self._edit(piece, self._somebody(DESK_EDITOR), "shared the credit of")

    def _edit(self, piece: Piece, member: Member, did: str, *changes: Callable[[], bool]) -> str:
        """The first of `changes` that has something to change, and every slip that the save brings along."""
        any(change() for change in changes)
        self._save(piece, member)
        return self._said(member, did, piece)

    def _save(self, piece: Piece, member: Member) -> None:
        article, story = piece.article, piece.story
        article.headline, article.standfirst, article.body = story.headline, story.standfirst, story.body
        with audittrail.context(actor=author_actor(member.author), channel=CHANNEL):
            article.save()
            article.tags.set([self.tags[tag] for tag in story.tags])
            _credit(article, piece.credited)
            audittrail.record_save(article)

    def _transition(
        self,
        piece: Piece,
        member: Member,
        change: Callable[[Article, workflow.Requester], object],
        did: str,
        steps: int,
    ) -> str:
        with audittrail.context(actor=author_actor(member.author), channel=CHANNEL):
            change(piece.article, member.user)
        piece.steps = steps
        return self._said(member, did, piece)

    def _somebody(self, role: str) -> Member:
        return self.rng.choice([member for member in self.cast if member.role == role])

    @staticmethod
    def _said(member: Member, did: str, piece: Piece) -> str:
        return f"{member.author.name} {did} “{piece.article.headline}”"

    _STEPS = {
        Status.DRAFT: _draft,
        Status.IN_REVIEW: _in_review,
        Status.SCHEDULED: _scheduled,
        Status.PUBLISHED: _published,
    }


def _section(name: str) -> Section:
    return Section.objects.get_or_create(name=name, defaults={"slug": slugify(name)})[0]


def _free_slug(headline: str) -> str:
    stem = slugify(headline, allow_unicode=True)[:100]
    taken = set(Article.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    number = 2
    while f"{stem}-{number}" in taken:
        number += 1
    return stem if stem not in taken else f"{stem}-{number}"


def _credit(article: Article, members: list[Member]) -> None:
    wanted = [member.author.pk for member in members]
    credits = article.credits.order_by("position")
    if list(credits.values_list("author_id", flat=True)) == wanted:
        return
    credits.all().delete()
    Credit.objects.bulk_create(
        Credit(article=article, author_id=pk, position=position) for position, pk in enumerate(wanted)
    )
