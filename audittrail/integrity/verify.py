"""Is the trail complete and unaltered? Every store is read and held against the others, and against the live articles.

Capture heads say how far each article's trail goes and with which hash; the chain proves each event before; index and
archive must hold the same events, the same in every field. What is still on its way is counted, not held against
anyone.
"""

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import timedelta

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.utils import timezone

from audittrail.archive.object_storage import ObjectStoreUnavailable
from audittrail.capture.inspection import inspect
from audittrail.events import database_rows
from audittrail.events.event import EnrichedEvent, EventKey
from audittrail.integrity import chain_check, drift, store_comparison
from audittrail.integrity.archive_digests import SubprocessDied, digest_in_process, digest_in_subprocess
from audittrail.integrity.captured import Captured, load_captured
from audittrail.integrity.findings import Finding
from audittrail.integrity.report import STORES, VerificationReport
from audittrail.integrity.store_comparison import ArchiveReading, Comparison, FurtherStore, StoreUnavailable, Witness
from audittrail.models import Fork, VerifiedHead
from audittrail.search.index import SearchUnavailable

WORTH_A_PROCESS = 5_000
"""Events from which on a second process saves more than the half second in which it starts."""

further_stores: list[FurtherStore] = []
"""Stores of other sinks, which their apps add when they are ready: read and compared like those of report.STORES."""

Progress = Callable[[str, int], None]
"""Is called with a store and how many more of its events have been read."""


def verify(
    article_id: str | None = None,
    *,
    grace: timedelta = timedelta(seconds=60),
    incremental: bool = False,
    progress: Progress = lambda store, count: None,
) -> VerificationReport:
    """Verify everything, or one article.

    `grace`: events captured within it before the start may still be on their way. `incremental`: only articles that
    moved since they were last verified, from there on, and the database only. Whether capture is on is asked first.
    """
    report = VerificationReport(timezone.now())
    with _cycle_collector_off(), transaction.atomic():
        _read_only_snapshot()
        report.findings += _capture_off()
        run = _Verification(report, load_captured(article_id, report.started_at - grace), progress)
        run.report_captured()
        if incremental:
            run.check_database(incremental=True)
        else:
            run.check_every_store()
            report.findings += drift.live(article_id)
    if report.complete:
        run.remember()
    report.seconds = (timezone.now() - report.started_at).total_seconds()
    return report


def store_names() -> tuple[str, ...]:
    """All stores that are verified."""
    return (*STORES, *(store.name for store in further_stores))


@contextmanager
def _cycle_collector_off() -> Iterator[None]:
    """Events by the thousand, and no cycle among them: the collector would go through them again and again, a fifth of
    the time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _capture_off() -> list[Finding]:
    """What is not recorded is missed by every other check."""
    problems = inspect(DEFAULT_DB_ALIAS).problems
    return [Finding("capture", "capture_off", each.subject, 0, f"{each.problem}. {each.remedy}") for each in problems]


def _read_only_snapshot() -> None:
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


class _Verification:
    """The steps of one verification; each adds to the report."""

    def __init__(self, report: VerificationReport, captured: Captured, progress: Progress):
        self._report, self._captured, self._progress = report, captured, progress
        self._known: dict[EventKey, Witness] = {}

    def report_captured(self) -> None:
        self._report.articles = len(self._captured.expected)
        self._report.set_aside = self._captured.set_aside
        self._report.amended = len(self._captured.amended)
        for article, anchor in self._captured.headless.items():
            self._add("capture", "head_altered", article, anchor.sequence, "the head of a verified article is gone")

    def check_every_store(self) -> None:
        """The archive is read in a thread, and digested in a subprocess where it is long, while database and index are
        read here.
        """
        is_long = self._captured.events > WORTH_A_PROCESS
        digester = digest_in_subprocess() if is_long else nullcontext(digest_in_process)
        article_id = self._captured.article_id
        with digester as digest, ThreadPoolExecutor(1, thread_name_prefix="archive") as pool:
            reading = pool.submit(store_comparison.read_archive, digest)
            self.check_database(incremental=False)
            self._check_index(article_id)
            self._check_archive(reading)
            for store in further_stores:
                self._check_further(store, article_id)

    def check_database(self, *, incremental: bool) -> None:
        """Check the chain of every article, or of those that have moved since they were verified."""
        seen: set[str] = set()
        for article, trail, findings in chain_check.walk(self._events(incremental), self._captured.expected):
            seen.add(article)
            self._report.findings += self._without_pending("database", findings)
            self._report.events["database"] += len(trail)
            if not incremental:
                self._known.update(store_comparison.witnesses(trail))
            self._progress("database", len(trail))
        for article, (head, verified) in self._captured.expected.items():
            if article not in seen and not (incremental and verified == head):
                absent = Finding("database", "cut_off", article, 1, f"none of the events 1 to {head.sequence} is there")
                self._report.findings += self._without_pending("database", [absent])
        self._report_forks()

    def _events(self, incremental: bool) -> Iterator[EnrichedEvent]:
        if incremental:
            return database_rows.events(_MOVED, [])
        if self._captured.article_id:
            return database_rows.events("e.article_id = %s", [self._captured.article_id])
        return database_rows.events()

    def _report_forks(self) -> None:
        forks = Fork.objects.all()
        for fork in forks.filter(article_id=self._captured.article_id) if self._captured.article_id else forks:
            detail = f"refused hash {bytes(fork.other_hash).hex()}, kept {bytes(fork.known_hash).hex()}"
            self._add(fork.found_in, "fork", fork.article_id, fork.sequence, detail)

    def _check_index(self, article_id: str | None) -> None:
        comparison = self._comparison("index")
        try:
            self._compare(comparison, store_comparison.compare_index(comparison, article_id))
        except SearchUnavailable as error:
            self._add("index", "unavailable", "", 0, str(error))

    def _check_archive(self, reading: Future[ArchiveReading]) -> None:
        comparison = self._comparison("archive")
        try:
            self._compare(comparison, store_comparison.compare_archive(comparison, reading.result()))
        except (ObjectStoreUnavailable, SubprocessDied) as error:
            self._add("archive", "unavailable", "", 0, str(error))
        except FileNotFoundError as error:
            self._add("archive", "object_missing", "", 0, f"gone while it was read: {error}")

    def _check_further(self, store: FurtherStore, article_id: str | None) -> None:
        comparison = self._comparison(store.name)
        try:
            self._compare(comparison, store_comparison.compare_events(comparison, store.digests(article_id)))
        except StoreUnavailable as error:
            self._add(store.name, "unavailable", "", 0, str(error))

    def _comparison(self, store: str) -> Comparison:
        self._report.events.setdefault(store, 0)
        self._report.pending.setdefault(store, 0)
        return Comparison(store, self._known, self._in_scope)

    def _in_scope(self, key: EventKey) -> bool:
        """Copies of events that came after the snapshot, or that reached a store before the database, are not looked
        at.
        """
        if key not in self._known and self._captured.may_be_on_its_way(key):
            return False
        return self._captured.covers(key)

    def _compare(self, comparison: Comparison, findings: Iterator[Finding]) -> None:
        self._report.findings += findings
        remaining = comparison.remaining()
        self._report.events[comparison.store] = len(self._known) - len(remaining)
        self._progress(comparison.store, len(self._known) - len(remaining))
        for key in remaining:
            if key in self._captured.fresh:
                self._report.pending[comparison.store] += 1
            else:
                self._add(comparison.store, "missing", *key, "the database has it")

    def _without_pending(self, store: str, findings: list[Finding]) -> Iterator[Finding]:
        """The findings but for events that the outbox still holds back, or has handed over just now: they are on their
        way and not lost.
        """
        for found in findings:
            if found.kind == "altered" and (found.article_id, found.sequence) in self._captured.amended:
                continue
            if found.kind in ("missing", "cut_off") and not self._is_anything_lost(store, found):
                continue
            yield found

    def _is_anything_lost(self, store: str, absent: Finding) -> bool:
        """Whether any event of a finding of absent ones is not on its way; counts those that are."""
        article = absent.article_id
        last = self._captured.last_sequence(article) if absent.kind == "cut_off" else absent.sequence
        on_their_way = [
            self._captured.may_be_on_its_way((article, sequence)) for sequence in range(absent.sequence, last + 1)
        ]
        self._report.pending[store] += sum(on_their_way)
        return not all(on_their_way)

    def _add(self, store: str, kind: str, article: str, sequence: int, detail: str) -> None:
        self._report.findings.append(Finding(store, kind, article, sequence, detail))

    def remember(self) -> None:
        """Keep what was found sound, so that it cannot be set back unseen."""
        now = timezone.now()
        rows = [
            VerifiedHead(article_id=article, sequence=head.sequence, hash=head.hash, verified_at=now)
            for article, (head, verified) in self._captured.expected.items()
            if head != verified and not self._captured.may_be_on_its_way((article, head.sequence))
        ]
        VerifiedHead.objects.using("pipeline").bulk_create(
            rows,
            batch_size=1000,
            update_conflicts=True,
            unique_fields=["article_id"],
            update_fields=["sequence", "hash", "verified_at"],
        )


# From the last keyframe that was verified, for articles that have moved since.
_MOVED = """EXISTS (
  SELECT 1 FROM audittrail_head h LEFT JOIN audittrail_verifiedhead v USING (article_id)
  WHERE h.article_id = e.article_id AND (v.sequence IS NULL OR v.sequence <> h.sequence OR v.hash <> h.hash)
    AND e.sequence >= coalesce((
      SELECT max(k.sequence) FROM audittrail_auditevent k
      WHERE k.article_id = e.article_id AND k.sequence <= v.sequence AND k.keyframe IS NOT NULL), 0))"""
