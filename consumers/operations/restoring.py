"""Carrying out what audittrail.integrity.restore plans: each step is whole or has not happened, and can be repeated.

Rows are added by the database sink's own statements, in the pipeline's role. What is already there is never changed,
but for altered rows, which the owner alone can replace, and index documents, which are only a copy.
"""

import getpass
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime
from typing import TypeVar

import psycopg
from psycopg.rows import TupleRow

from audittrail import outbox
from audittrail.archive import repair
from audittrail.events import database_rows
from audittrail.events.event import EnrichedEvent
from audittrail.events.event_json import as_json
from audittrail.integrity.restore import Step, correction_of
from audittrail.search import documents, index
from audittrail.search.documents import IndexedDocument
from consumers.database import connect

log = logging.getLogger(__name__)

_FORK = """
    INSERT INTO audittrail_fork (article_id, sequence, known_hash, other_hash, other_event, found_in, found_at)
    VALUES (%s, %s, %s, %s, %s, 'database', now()) ON CONFLICT DO NOTHING"""
_REMOVE = "DELETE FROM audittrail_auditevent WHERE article_id = %s AND sequence = ANY(%s)"

Problems = list[str]
Content = TypeVar("Content")


def carry_out(steps: Iterable[Step], recent: datetime, progress: Callable[[int], None]) -> tuple[int, Problems]:
    """How many steps were done, and what could not be.

    Raises psycopg.Error, SearchUnavailable, ObjectStoreUnavailable: what was done until then stays, the same call
    completes it.
    """
    by_action: defaultdict[str, list[Step]] = defaultdict(list)
    for step in steps:
        by_action[step.action].append(step)
    done = 0
    problems: Problems = []
    for action, carry_out_all in _IN_ORDER.items():
        if some := by_action[action]:
            failed = carry_out_all(some, recent)
            _log(some, failed)
            done, problems = done + len(some) - len(failed), problems + failed
            progress(len(some))
    return done, problems


def _log(steps: list[Step], failed: Problems) -> None:
    for step in steps:
        log.warning(
            "restore by %s: %s %s %s #%s from %s",
            getpass.getuser(),
            step.store,
            step.action,
            step.target,
            step.sequence,
            step.source or "what is around it",
        )
    for problem in failed:
        log.error("restore: %s", problem)


def _insert(steps: list[Step], recent: datetime) -> Problems:
    problems: Problems = []
    with closing(connect()) as connection:
        connection.execute(database_rows.CREATE_INCOMING)
        for article, some in _by_article(steps):
            events = _events(some)
            with connection.transaction():
                duplicates = database_rows.store_events(connection, events)
            problems += [
                f"{article} #{events[number]['sequence']}: another row has its event_id; see --replace-altered"
                for number in duplicates
            ]
    return problems


def _replace(steps: list[Step], recent: datetime) -> Problems:
    problems: Problems = []
    with closing(connect("owner")) as connection:
        connection.execute(database_rows.CREATE_INCOMING)
        for article, some in _by_article(steps):
            try:
                with connection.transaction():
                    _replace_rows(connection, article, some)
            except psycopg.IntegrityError as error:
                problems += [f"{article} #{step.sequence}: {error}" for step in some]
    return problems


def _replace_rows(connection: psycopg.Connection[TupleRow], article: str, steps: list[Step]) -> None:
    events = _events(steps)
    for step, event in zip(steps, events, strict=True):
        altered = _needed(step, step.altered)
        hashes = [event["hash"], altered["hash"]]
        connection.execute(_FORK, [article, step.sequence, *hashes, as_json(altered).decode()])
    connection.execute(_REMOVE, [article, [step.sequence for step in steps]])
    if duplicates := database_rows.store_events(connection, events):
        taken = ", ".join(f"#{events[number]['sequence']}" for number in duplicates)
        raise psycopg.IntegrityError(f"another article's row has the event_id of {taken}")


def _publish(steps: list[Step], recent: datetime) -> Problems:
    with closing(connect()) as connection:
        for article, some in _by_article(steps):
            connection.execute(outbox.REARM, {"article_id": article, "sequences": [step.sequence for step in some]})
    return []


def _create(steps: list[Step], recent: datetime) -> Problems:
    repair.write_restored(_events(sorted(steps, key=lambda step: (step.target, step.sequence))))
    return []


def _rebuild(steps: list[Step], recent: datetime) -> Problems:
    return _repaired(steps, lambda step: repair.rebuild(step.target, correction_of(step.target, recent)))


def _close(steps: list[Step], recent: datetime) -> Problems:
    return _repaired(steps, lambda step: repair.close_gap(_needed(step, step.gap)))


def _repaired(steps: list[Step], repair_one: Callable[[Step], object]) -> Problems:
    problems: Problems = []
    for step in steps:
        try:
            repair_one(step)
        except repair.CannotRepair as error:
            problems.append(str(error))
    return problems


def _create_documents(steps: list[Step], recent: datetime) -> Problems:
    """A document that has come meanwhile stays as it is."""
    return _refused(steps, index.write(_documents(steps)))


def _overwrite_documents(steps: list[Step], recent: datetime) -> Problems:
    return _refused(steps, index.overwrite(_documents(steps)))


def _documents(steps: list[Step]) -> list[IndexedDocument]:
    return [documents.indexed_now(_needed(step, step.document)) for step in steps]


def _refused(steps: list[Step], results: list[index.Result]) -> Problems:
    index.refresh()
    return [
        f"index: {documents.document_id(step.target, step.sequence)}: {result.detail}"
        for step, result in zip(steps, results, strict=True)
        if result.fate is index.Fate.REFUSED
    ]


def _events(steps: list[Step]) -> list[EnrichedEvent]:
    return [_needed(step, step.event) for step in steps]


def _needed(step: Step, content: Content | None) -> Content:
    """What the action of a step needs. Raises ValueError for a step without it, before anything is changed for it."""
    if content is None:
        raise ValueError(f"the step to {step.action} {step.target} #{step.sequence} lacks what this action needs")
    return content


def _by_article(steps: list[Step]) -> Iterable[tuple[str, list[Step]]]:
    grouped: defaultdict[str, list[Step]] = defaultdict(list)
    for step in steps:
        grouped[step.target].append(step)
    return grouped.items()


_IN_ORDER: dict[str, Callable[[list[Step], datetime], Problems]] = {
    # Altered rows first: they may hold the identities of rows to be added.
    "replace": _replace,
    "insert": _insert,
    # Objects are rebuilt from what the database then has.
    "rebuild": _rebuild,
    "create": _create,
    "close": _close,
    "index": _create_documents,
    "overwrite": _overwrite_documents,
    "publish": _publish,
}
"""Action → what carries out all steps of it; in this order."""
