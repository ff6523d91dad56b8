"""What PostgreSQL's own log says was changed is what the events say, whatever programs did.

The witness is itself held to what it is for: each protection that is taken away, it finds.
"""

from collections.abc import Iterator

import pytest
from django.db import connections
from hypothesis import HealthCheck, Phase, find, given, settings

from testkit.audittrail.witness.programs import FIRST, OWNER, SECOND, Program, Statement, Step, programs
from testkit.audittrail.witness.witness import Witness, witness

PROGRAMS = settings(max_examples=300, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def watched(fresh_database) -> Iterator[Witness]:
    with witness(fresh_database) as found:
        yield found


@pytest.mark.slow
def test_every_change_in_the_log_is_an_event_and_every_event_is_in_the_log(watched, record_property):
    @PROGRAMS
    @given(programs(watched.settings()))
    def is_captured(program: Program) -> None:
        assert watched.judge(program) == []

    is_captured()
    record_property("report", watched.report())
    assert watched.testimony.events > PROGRAMS.max_examples


SWAP = "UPDATE newsroom_credit SET position = 2 - position WHERE article_id IN ({articles})"
CREDIT = (
    "INSERT INTO newsroom_credit (article_id, author_id, position) "
    "SELECT id, $p1, 0 FROM newsroom_article WHERE id IN ({articles})"
)


@pytest.mark.parametrize("articles", ["$a0", "$a0, $a1"])
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_transaction_that_does_not_see_what_was_touched_meanwhile_fails(watched, level, articles):
    """The first session makes no event, as one credit has one order; the second would have put its own behind it."""
    program = [
        Step(SECOND, Statement(f"BEGIN ISOLATION LEVEL {level}")),
        Step(SECOND, Statement("SELECT FROM newsroom_article")),
        Step(FIRST, Statement(SWAP.format(articles=articles))),
        Step(SECOND, Statement(CREDIT.format(articles=articles))),
        Step(SECOND, Statement("COMMIT")),
    ]
    assert watched.judge(program) == []


@pytest.mark.parametrize(
    "change", ["DELETE FROM dossier WHERE code = '$d0'", "UPDATE dossier SET code = '$d1' WHERE code = '$d0'"]
)
def test_related_rows_that_outlive_their_article_for_a_moment_are_no_article(watched, change):
    """Deletion and renaming cascade to them when the fold is done with the article."""
    statements = ["BEGIN", "SET CONSTRAINTS ALL IMMEDIATE", change, "COMMIT"]
    assert watched.judge([Step(FIRST, Statement(each)) for each in statements]) == []


def test_rows_of_one_statement_are_changed_by_one_actor_though_constraints_are_immediate(watched):
    """The trigger of the first row is done before that of the second, whose change is there already."""
    add = "INSERT INTO exhibit (dossier_id, place, caption, text) VALUES ('$d0', 0, 'new', '')"
    change = "UPDATE exhibit SET caption = 'A' WHERE dossier_id = '$d0'"
    statements = ["BEGIN", add, "SET CONSTRAINTS ALL IMMEDIATE", change, "COMMIT"]
    assert watched.judge([Step(FIRST, Statement(each)) for each in statements]) == []


def as_owner(statement: str) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement)


def replace_in_function(name: str, part: str, by: str) -> None:
    """Put something else into a function's body."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [name])
        (definition,) = cursor.fetchone()
        assert part in definition
        cursor.execute(definition.replace(part, by))


QUEUE = "(pg_current_xact_id(), '', "


def found_by_chance(watched: Witness, what: str) -> Program:
    """The first random program of which the witness says something that begins so."""

    def is_found(program: Program) -> bool:
        return any(finding.what.startswith(what) for finding in watched.judge(program))

    chance = settings(PROGRAMS, max_examples=1000, phases=[Phase.generate], derandomize=True)
    return find(programs(watched.settings()), is_found, settings=chance)


@pytest.mark.slow
def test_a_setting_that_decides_whether_the_fold_is_queued_is_found(watched):
    leads = "current_setting('audit.leading', true) IS DISTINCT FROM pg_current_xact_id()::text"
    replace_in_function("audit_touch", QUEUE, f"(CASE WHEN {leads} THEN pg_current_xact_id() ELSE '0' END, '', ")
    assert "audit.leading" in str(found_by_chance(watched, "escaped"))


UPDATE = [Step(FIRST, Statement("UPDATE newsroom_article SET headline = 'new', published_at = now() WHERE id = $a0"))]


ANOTHER_INSTANT = """
CREATE OR REPLACE FUNCTION audit_instant(moment timestamptz) RETURNS text LANGUAGE sql STABLE
AS $$ SELECT date_trunc('hour', moment)::text $$"""


@pytest.mark.parametrize(
    ("sabotage", "said"),
    [
        ("ALTER TABLE newsroom_article DISABLE TRIGGER USER", "escaped: headline is 'new', captured 'Bridge'"),
        ("ALTER TABLE audit_touched DISABLE TRIGGER USER", "a touch that was never folded"),
        (ANOTHER_INSTANT, "untrue: event 2: published_at is"),
        ("ALTER FUNCTION audit_append RENAME TO gone", "a statement fails in capture: 42883"),
    ],
)
def test_a_sabotage_is_found(watched, sabotage, said):
    as_owner(sabotage)
    assert any(finding.what.startswith(said) for finding in watched.judge(UPDATE))


@pytest.mark.parametrize(
    ("forgery", "said"),
    [
        (
            "SELECT audit_touch('newsroom.article', '$a0', '{}', false, '{}', '{}', '{}', true)",
            "unfounded: event 3 (update) changes nothing",
        ),
        ("UPDATE audittrail_outboxevent SET title = 'forged' WHERE article_id = 'newsroom.article:$a0'", "altered"),
        ("UPDATE audittrail_head SET hash = '' WHERE object_pk = '$a0'", "chain: previous_hash at sequence 3"),
        ("UPDATE audittrail_head SET sequence = 7 WHERE object_pk = '$a0'", "chain: gap at sequence 3"),
        ("UPDATE audittrail_head SET scalars = jsonb_set(scalars, '{slug}', 'null') WHERE object_pk = '$a1'", "drift"),
    ],
)
def test_a_forgery_is_found(watched, forgery, said):
    later = Step(FIRST, Statement("UPDATE newsroom_article SET headline = 'later' WHERE id = $a0"))
    findings = watched.judge([*UPDATE, Step(OWNER, Statement(forgery)), later])
    assert any(finding.what.startswith(said) for finding in findings)
