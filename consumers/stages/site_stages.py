"""Stages of a site's own, from the Django setting AUDIT_STAGES, and what is wrong with them."""

import re
from collections.abc import Iterable, Iterator

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from consumers.runtime.stage_spec import LOOP_RUNNER, MOST_PROCESSES, StageSpec

REMEDY = "Give the dotted path of a StageSpec, for example 'mysite.json_lines.SPEC': see docs/adding-a-sink.md."

_NAME = re.compile(r"[a-z][a-z0-9_-]*")


def imported(path: str) -> StageSpec:
    """The StageSpec at a dotted path. Raises ImproperlyConfigured."""
    try:
        spec = import_string(path)
    except Exception as error:  # the module is the site's own: whatever it raises, the setting is what to look at
        reason = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
        raise ImproperlyConfigured(f"AUDIT_STAGES: {path!r} cannot be imported: {reason}. {REMEDY}") from error
    if not isinstance(spec, StageSpec):
        raise ImproperlyConfigured(f"AUDIT_STAGES: {path!r} is not a StageSpec but {type(spec).__name__}. {REMEDY}")
    if wrong := next(_faults(spec), None):
        raise ImproperlyConfigured(f"AUDIT_STAGES: {path!r}: {wrong}")
    return spec


def _faults(spec: StageSpec) -> Iterator[str]:
    """What is wrong with the fields of a spec, each with the remedy."""
    if not _NAME.fullmatch(spec.name):
        yield f"name={spec.name!r}: use lower-case letters, digits, - and _, a letter first."
    if spec.runner == LOOP_RUNNER and not spec.stage:
        yield "stage is empty: give the dotted path of its Stage class."
    if spec.runner == LOOP_RUNNER and not (spec.group_name and spec.member_name and spec.reads):
        yield "it reads from Kafka: give it reads, group_name and member_name."
    if not all(map(callable, spec.reads)):
        yield "reads: give functions that return the names of topics, such as consumers.conf.enriched_topic."
    if spec.metrics_offset is not None and (spec.metrics_offset < 0 or spec.metrics_offset % MOST_PROCESSES):
        yield f"metrics_offset={spec.metrics_offset}: give a multiple of {MOST_PROCESSES}."


def demand_distinct(specs: Iterable[StageSpec]) -> None:
    """Stages that share a name, a group or metrics ports would take each other's work or place.

    Raises ImproperlyConfigured.
    """
    owners: dict[tuple[str, object], str] = {}
    for spec in specs:
        claims = _claims(spec)
        if taken := sorted(claims & owners.keys(), key=str):
            raise ImproperlyConfigured(
                f"AUDIT_STAGES: the stages {owners[taken[0]]} and {spec.name} have the same {taken[0][0]}. Give each "
                f"its own; values of metrics_offset are multiples of {MOST_PROCESSES}."
            )
        owners |= dict.fromkeys(claims, spec.name)


def _claims(spec: StageSpec) -> set[tuple[str, object]]:
    claims: set[tuple[str, object]] = {("name", name) for name in (spec.name, *spec.aliases)}
    if spec.group_name:
        claims |= {("group_name", spec.group_name), ("member_name", spec.member_name)}
    if spec.metrics_offset is not None:
        claims.add(("metrics_offset", spec.metrics_offset // MOST_PROCESSES))
    return claims
