"""Stages of a site's own, from the Django setting AUDIT_STAGES, and what is wrong with them."""

from collections.abc import Iterable, Iterator

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
        for field, value in _claims(spec):
            owner = owners.setdefault((field, value), spec.name)
            if owner is not spec.name:
                raise ImproperlyConfigured(
                    f"AUDIT_STAGES: the stages {owner} and {spec.name} have the same {field}. Give each its own; "
                    f"values of metrics_offset are multiples of {MOST_PROCESSES}."
                )


def _claims(spec: StageSpec) -> Iterator[tuple[str, object]]:
    yield from (("name or alias", name) for name in (spec.name, *spec.aliases))
    if spec.group_name:
        yield "group_name", spec.group_name
    if spec.metrics_offset is not None:
        yield "metrics_offset", spec.metrics_offset // MOST_PROCESSES
