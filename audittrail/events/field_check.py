"""Fields that are named in two places, compared while modules are imported: neither place can change alone."""

from collections.abc import Iterable


class FieldMismatch(Exception):
    """One place has a field that another lacks, or has as another type; the text names the field, both places and what
    to do.
    """


def require_same_fields(
    found: Iterable[str], place: str, defined: Iterable[str], definition: str, *, remedy: str
) -> None:
    """Raise FieldMismatch unless the fields found in `place` are those that `definition` has, in any order."""
    found, defined = set(found), set(defined)
    problems = [f"{name!r} is in {place}, but not in {definition}" for name in sorted(found - defined)]
    problems += [f"{name!r} is in {definition}, but not in {place}" for name in sorted(defined - found)]
    if problems:
        raise FieldMismatch(f"field {'; field '.join(problems)}: {remedy}")
