"""Stages of a site's own, from the Django setting AUDIT_STAGES, and what is wrong with them."""

from collections.abc import Iterable

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from consumers.runtime.stage_spec import MOST_PROCESSES, StageSpec

REMEDY = "Give the dotted path of a StageSpec, for example 'mysite.json_lines.SPEC': see docs/adding-a-sink.md."


def imported(path: str) -> StageSpec:
    """The StageSpec at a dotted path. Raises ImproperlyConfigured."""
    try:
        spec = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"AUDIT_STAGES: {path!r} cannot be imported: {error}. {REMEDY}") from error
    if not isinstance(spec, StageSpec):
        raise ImproperlyConfigured(f"AUDIT_STAGES: {path!r} is not a StageSpec but {type(spec).__name__}. {REMEDY}")
    return spec


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
        claims.add(("group_name", spec.group_name))
    if spec.metrics_offset is not None:
        claims.add(("metrics_offset", spec.metrics_offset // MOST_PROCESSES))
    return claims
