"""A context that cannot be recorded is refused where it is made, by the name of what is wrong."""

from datetime import UTC, datetime
from typing import Any

import pytest

from audittrail.capture.acting import ORIGIN_LIMIT, Actor, Context, Origin
from audittrail.capture.task import _received

WRONG: Any = 7


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Context(occurred_at=datetime(2026, 1, 1)), "occurred_at .* has no time zone: make it aware"),  # noqa: DTZ001
        (lambda: Context(occurred_at=WRONG), "occurred_at must be an aware datetime"),
        (lambda: Context(actor=WRONG), "actor must be an Actor"),
        (lambda: Actor("user", WRONG), "actor id must be a text or None, not 7"),
        (lambda: Actor("user", "a\x00b"), "actor id .* holds a NUL"),
        (lambda: Actor("user", "\ud800"), "actor id .* lone surrogate"),
        (lambda: Actor("user", "a" * 2001), "actor id has 2,001 characters; 2,000 at most"),
        (lambda: Actor("user", "a:1", snapshot={"desk": "x" * 2001}), "snapshot desk has 2,001 characters"),
        (lambda: Actor("user", "a:1", snapshot={"email": "x"}), "snapshot key 'email' is not one of name, byline"),
        (lambda: Actor("user", "a:1", snapshot={"name": WRONG}), "snapshot name must be a text"),
        (lambda: Actor("user", "a:1", snapshot=WRONG), "snapshot must be a dict"),
        (lambda: Origin(request_id=WRONG), "request_id must be a text or None, not 7"),
        (lambda: Origin(user_agent="a\x00"), "user_agent .* holds a NUL"),
    ],
)
def test_what_does_not_fit_is_named(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_an_aware_moment_and_a_known_snapshot_are_taken():
    actor = Actor("user", "elsewhere:7", snapshot={"name": "Kim", "desk": "Politics"})
    assert Context(actor, occurred_at=datetime(2026, 1, 1, tzinfo=UTC)).actor is actor


def test_a_part_of_the_origin_is_cut():
    assert Origin(user_agent="x" * (ORIGIN_LIMIT + 1)).user_agent == "x" * ORIGIN_LIMIT


@pytest.mark.parametrize("header", [{"actor": {}}, {"actor": {"type": "editor"}, "origin": {}}, "text", {"origin": {}}])
def test_a_message_whose_context_has_the_wrong_shape_is_refused_by_name(header):
    with pytest.raises(ValueError, match="header audit_context is no context"):
        _received(header)
