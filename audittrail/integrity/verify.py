"""Is the trail complete and unaltered?  Every store is read and held against the others, and against the live articles.

Capture heads say how far each article's trail goes and with which hash; the chain proves each event before; index and
archive must hold the same events, the same in every field.  What is still on its way is counted, not held against
anyone.
"""

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.utils import timezone

from audittrail.archive import objects
from audittrail.events import database_rows
from audittrail.integrity import archive_digests, chain_check, drift, store_comparison
from audittrail.integrity.chain_check import Anchor, Expected
from audittrail.integrity.findings import Finding
from audittrail.models import Fork, Head, OutboxEvent, VerifiedHead
from audittrail.search.index import SearchUnavailable

STORES = ("database", "index", "archive")
WORTH_A_PROCESS = 5_000
"""Events from which on a second process saves more than the half second in which it starts."""


@dataclass
class Report:
    """What was read, what is on its way, and what is wrong; `complete` when nothing is."""

    started_at: datetime
    articles: int = 0
    events: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STORES, 0))
    pending: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STORES, 0))
    set_aside: int = 0
    amended: int = 0
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        return not self.findings


def verify(
    article_id: str | None = None,
    *,
    grace: timedelta = timedelta(seconds=60),
    incremental: bool = False,
    progress: Callable[[str, int], None] = lambda stage, count: None,
) -> Report:
    """Verify everything, or one article.

    grace: events captured within it before the start may still be on their way.  incremental: only articles that moved
    since they were last verified, from there on, and the database only.  progress: told of each stage and how much it
    read.
    """
    report = Report(timezone.now())
    with _no_cycles(), transaction.atomic():
        _read_only_snapshot()
        run = _Run(report, article_id, report.started_at - grace, progress)
        run.load()
        if incremental:
            run.database(incremental)
        else:
            run.every_store()
            report.findings += drift.live(article_id)
    if report.complete:
        run.remember()
    report.seconds = (timezone.now() - report.started_at).total_seconds()
    return report


@contextmanager
def _no_cycles() -> Iterator[None]:
    """Events by the thousand, and no cycle among them: the collector would go through them again and again, a fifth of
    the time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _read_only_snapshot() -> None:
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


class _Run:
    def __init__(self, report: Report, article_id: str | None, recent: datetime, progress):
        self.report, self.article_id, self.recent, self.progress = report, article_id, recent, progress
        self.expected: dict[str, Expected] = {}
        self.known: dict[store_comparison.Key, store_comparison.Witness] = {}
        self.waiting: set[store_comparison.Key] = set()
        self.fresh: set[store_comparison.Key] = set()
        self.amended: set[store_comparison.Key] = set()

    def load(self) -> None:
        """Heads, earlier verifications, and the events that the outbox has not handed over yet."""
        heads = self._of_article(Head.objects.filter(sequence__gt=0)).values_list("article_id", "sequence", "hash")
        verified = self._of_article(VerifiedHead.objects.all()).values_list("article_id", "sequence", "hash")
        anchors = {article: Anchor(sequence, bytes(hash_)) for article, sequence, hash_ in verified}
        self.expected = {
            article: Expected(Anchor(sequence, bytes(hash_)), anchors.pop(article, None))
            for article, sequence, hash_ in heads.iterator()
        }
        for article, anchor in anchors.items():
            self._found("capture", "head_altered", article, anchor.sequence, "the head of a verified article is gone")
            self.expected[article] = Expected(anchor, anchor)
        self.report.articles = len(self.expected)
        outbox = self._of_article(OutboxEvent.objects.all())
        self.waiting = set(outbox.unpublished().values_list("article_id", "sequence").iterator())
        self.fresh = set(outbox.published_after(self.recent).values_list("article_id", "sequence").iterator())
        self.report.set_aside = outbox.set_aside().count()
        self.amended = set(outbox.exclude(amendments=[]).values_list("article_id", "sequence").iterator())
        self.report.amended = len(self.amended)

    def database(self, incremental: bool) -> None:
        seen = set()
        for article, events, findings in chain_check.walk(self._events(incremental), self.expected):
            seen.add(article)
            self.report.findings += self._without_pending("database", findings)
            self.report.events["database"] += len(events)
            if not incremental:
                self.known.update(store_comparison.witnesses(events))
            self.progress("database", len(events))
        for article, (head, verified) in self.expected.items():
            if article not in seen and not (incremental and verified == head):
                absent = Finding("database", "cut_off", article, 1, f"none of the events 1 to {head.sequence} is there")
                self.report.findings += self._without_pending("database", [absent])
        for fork in self._of_article(Fork.objects.all()):
            self._found(
                fork.found_in,
                "fork",
                fork.article_id,
                fork.sequence,
                f"refused hash {bytes(fork.other_hash).hex()}, kept {bytes(fork.known_hash).hex()}",
            )

    def every_store(self) -> None:
        """The archive is read in a thread, and its digests made beside this process where it is long, while database
        and index are.
        """
        events = sum(head.sequence for head, _ in self.expected.values())
        beside = archive_digests.beside() if events > WORTH_A_PROCESS else nullcontext(archive_digests.here)
        with beside as digested, ThreadPoolExecutor(1, thread_name_prefix="archive") as pool:
            reading = pool.submit(store_comparison.read_archive, digested)
            self.database(incremental=False)
            self.index()
            self.archive(reading)

    def index(self) -> None:
        comparison = store_comparison.Comparison("index", self.known, self._in_scope)
        try:
            self._compare(comparison, store_comparison.indexed(comparison, self.article_id))
        except SearchUnavailable as error:
            self._found("index", "unavailable", "", 0, str(error))

    def archive(self, reading: Future[store_comparison.Archive]) -> None:
        comparison = store_comparison.Comparison("archive", self.known, self._in_scope)
        try:
            self._compare(comparison, store_comparison.archived(comparison, reading.result()))
        except (objects.ObjectStoreUnavailable, archive_digests.Died) as error:
            self._found("archive", "unavailable", "", 0, str(error))
        except FileNotFoundError as error:
            self._found("archive", "object_missing", "", 0, f"gone while it was read: {error}")

    def remember(self) -> None:
        """Keep what was found sound, so that it cannot be set back unseen."""
        now = timezone.now()
        done = [
            (article, head)
            for article, (head, verified) in self.expected.items()
            if head != verified and (article, head.sequence) not in self.waiting | self.fresh
        ]
        rows = [
            VerifiedHead(article_id=article, sequence=head.sequence, hash=head.hash, verified_at=now)
            for article, head in done
        ]
        VerifiedHead.objects.using("pipeline").bulk_create(
            rows,
            batch_size=1000,
            update_conflicts=True,
            unique_fields=["article_id"],
            update_fields=["sequence", "hash", "verified_at"],
        )

    def _events(self, incremental: bool) -> Iterator[dict]:
        if incremental:
            return database_rows.events(_MOVED, [])
        return (
            database_rows.events("e.article_id = %s", [self.article_id]) if self.article_id else database_rows.events()
        )

    def _compare(self, comparison: store_comparison.Comparison, findings: Iterator[Finding]) -> None:
        before = len(self.known)
        self.report.findings += findings
        remaining = comparison.remaining()
        self.report.events[comparison.store] = before - len(remaining)
        self.progress(comparison.store, before - len(remaining))
        for key in remaining:
            if key in self.fresh:
                self.report.pending[comparison.store] += 1
            else:
                self._found(comparison.store, "missing", *key, "the database has it")

    def _without_pending(self, store: str, findings: list[Finding]) -> Iterator[Finding]:
        """An event that the outbox still holds back, or has handed over just now, is on its way and not lost."""
        for found in findings:
            # Its hashes are those of what was captured, which the outbox keeps beside the amendments.
            if found.kind == "altered" and (found.article_id, found.sequence) in self.amended:
                continue
            if found.kind in ("missing", "cut_off"):
                last = self._last(found.article_id) if found.kind == "cut_off" else found.sequence
                lost = [
                    n
                    for n in range(found.sequence, last + 1)
                    if (found.article_id, n) not in self.waiting and (found.article_id, n) not in self.fresh
                ]
                self.report.pending[store] += last + 1 - found.sequence - len(lost)
                if not lost:
                    continue
            yield found

    def _last(self, article: str) -> int:
        head, verified = self.expected[article]
        return max(head.sequence, verified.sequence if verified else 0)

    def _in_scope(self, key: store_comparison.Key) -> bool:
        """Copies of events that came after the snapshot, or that reached this store before the database, are not looked
        at.
        """
        article, sequence = key
        if self.article_id and article != self.article_id:
            return False
        if key not in self.known and key in self.waiting | self.fresh:
            return False
        return (article not in self.expected and not self._is_new(article)) or (
            article in self.expected and sequence <= self.expected[article].head.sequence
        )

    def _is_new(self, article: str) -> bool:
        """Whether an article without a head in the snapshot has been captured since."""
        return Head.objects.using("pipeline").filter(article_id=article).exists()

    def _of_article(self, rows):
        return rows.filter(article_id=self.article_id) if self.article_id else rows

    def _found(self, store: str, kind: str, article: str, sequence: int, detail: str) -> None:
        self.report.findings.append(Finding(store, kind, article, sequence, detail))


# From the last keyframe that was verified, for articles that have moved since.
_MOVED = """EXISTS (
  SELECT 1 FROM audittrail_head h LEFT JOIN audittrail_verifiedhead v USING (article_id)
  WHERE h.article_id = e.article_id AND (v.sequence IS NULL OR v.sequence <> h.sequence OR v.hash <> h.hash)
    AND e.sequence >= coalesce((SELECT max(k.sequence) FROM audittrail_auditevent k
                                WHERE k.article_id = e.article_id AND k.sequence <= v.sequence AND k.keyframe IS NOT NULL), 0))"""
