"""All of capture for the models now tracked, as a list of objects."""

from collections.abc import Iterable
from dataclasses import dataclass

from audittrail.capture import schema
from audittrail.capture.objects import CompositeType, Function, Storage, Table, Trigger, Watch
from audittrail.capture.schema import Schema
from audittrail.capture.state_functions import dispatch_functions, state_functions
from audittrail.capture.static_functions import static_functions
from audittrail.capture.tables import MASK_KEY, STORAGE, TABLES, TYPES
from audittrail.capture.triggers import actor_triggers, article_triggers, first_versions, relation_triggers
from audittrail.tracking import Tracked

_FOLD = Trigger(
    "audit_fold", "audit_touched", "audit_fold", frozenset({"INSERT"}), deferred=True, when="new.article_id = ''::text"
)
"""Fires at commit for the row that stands for the transaction."""


@dataclass(frozen=True)
class Capture:
    """What capture consists of. rows: statements that add what is not there yet, a secret and first versions of actors,
    and change nothing.
    """

    types: tuple[CompositeType, ...]
    tables: tuple[Table, ...]
    storage: tuple[Storage, ...]
    functions: tuple[Function, ...]
    triggers: tuple[Trigger, ...]
    rows: tuple[str, ...]


def defined_for(tables: Schema) -> Capture:
    """Capture of what is tracked, as far as the database has it.

    Raises ValueError naming an object that two different ones would be.
    """
    tracked, actors = schema.tracked_in(tables), schema.actors_in(tables)
    watches = [watch for each in tracked for watch in _watches(each, tables)]
    watches += [actor_triggers(each, tables) for each in actors]
    functions = [
        *static_functions(tables.namespace),
        *(function for each in tracked for function in state_functions(each, tables)),
        *dispatch_functions(tracked),
        *(watch.function for watch in watches),
    ]
    return Capture(
        TYPES,
        TABLES,
        STORAGE,
        _distinct_functions(functions),
        _distinct_triggers([_FOLD, *(trigger for watch in watches for trigger in watch.triggers)]),
        (MASK_KEY, *(first_versions(each, tables) for each in actors)),
    )


def _watches(tracked: Tracked, tables: Schema) -> list[Watch]:
    relations = [relation_triggers(tracked, relation, tables) for relation in tracked.relations]
    return [*article_triggers(tracked, tables), *relations]


def _distinct_functions(functions: Iterable[Function]) -> tuple[Function, ...]:
    found: dict[str, Function] = {}
    for each in functions:
        if found.setdefault(each.name, each) != each:
            raise ValueError(
                f"two functions of capture are named {each.name}. Track one of the models under another kind."
            )
    return tuple(found.values())


def _distinct_triggers(triggers: Iterable[Trigger]) -> tuple[Trigger, ...]:
    """A table of two articles refuses TRUNCATE once."""
    found: dict[tuple[str, str, str], Trigger] = {}
    for each in triggers:
        if found.setdefault(each.place, each) != each:
            raise ValueError(f"two triggers of {each.table} are named {each.name}. Track one model under another kind.")
    return tuple(found.values())
