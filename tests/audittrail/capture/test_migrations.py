"""Capture is on before, between and after migrations, whatever they do, and what they change are their events."""

import importlib
import io
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.core.management import CommandError, call_command
from django.core.signals import request_started
from django.db import DataError, connections, models, transaction
from django.db.migrations import Migration, operations
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState
from django.test import override_settings

from audittrail import Actor, Relation, context, track, tracking
from audittrail.capture.at_start import FIRST_REQUEST
from audittrail.capture.following import followed
from audittrail.capture.inspection import inspect
from audittrail.capture.install import install
from audittrail.capture.renames import earlier_names
from audittrail.capture.schema import EarlierNames
from audittrail.models import OutboxEvent
from testkit.audittrail.chains import breaks, captured
from testkit.audittrail.migrated.models import MODELS, Image, Section, Story, Topic
from testkit.databases import cloned_database, pointed_at

KIND = "migrated.story"
LABEL = "migrated"


def new_state() -> ProjectState:
    """As the models are."""
    state = ProjectState()
    for model in MODELS:
        state.add_model(ModelState.from_model(model))
    return state


@dataclass(frozen=True)
class Case:
    """forwards: operations that lead to the models; before: those that lead from the models to the state before, of
    which only the states count.
    """

    forwards: list[Operation]
    before: list[Operation] = field(default_factory=list)
    atomic: bool = True


def text(default: str = "") -> models.Field:
    return models.TextField(default=default)


def _creation(model: type[models.Model]) -> Operation:
    state = ModelState.from_model(model)
    return operations.CreateModel(state.name, list(state.fields.items()), state.options)


def nothing(apps: object, editor: object) -> None:
    pass


UNCONSTRAINED = models.ManyToManyField("migrated.Topic", db_constraint=False)

CASES = {
    "AddField": Case(
        [operations.AddField("story", "words", models.IntegerField(default=3))],
        [operations.RemoveConstraint("story", "story_words"), operations.RemoveField("story", "words")],
    ),
    "AddField of a relation": Case(
        [operations.AddField("story", "topics", models.ManyToManyField("migrated.Topic"))],
        [operations.RemoveField("story", "topics")],
    ),
    "AddField of a child's value": Case(
        [operations.AddField("image", "caption", models.CharField(max_length=50, default="new"))],
        [operations.RemoveField("image", "caption")],
    ),
    "AlterField, longer": Case(
        [operations.AlterField("story", "title", models.CharField(max_length=50))],
        [operations.AlterField("story", "title", models.CharField(max_length=30))],
    ),
    "AlterField, another type": Case(
        [operations.AlterField("story", "words", models.IntegerField(default=0))],
        [operations.AlterField("story", "words", models.DecimalField(max_digits=9, decimal_places=2, default=0))],
    ),
    "AlterField of a child's value": Case(
        [operations.AlterField("image", "caption", models.CharField(max_length=50, default=""))],
        [operations.AlterField("image", "caption", text())],
    ),
    "AlterField, another column": Case(
        [operations.AlterField("story", "title", models.CharField(max_length=50))],
        [operations.AlterField("story", "title", models.CharField(max_length=50, db_column="heading"))],
    ),
    "AlterField of a relation": Case(
        [operations.AlterField("story", "topics", models.ManyToManyField("migrated.Topic"))],
        [operations.AlterField("story", "topics", UNCONSTRAINED)],
    ),
    "AlterField of the primary key": Case(
        [operations.AlterField("story", "id", models.BigAutoField(primary_key=True))],
        [operations.AlterField("story", "id", models.AutoField(primary_key=True))],
    ),
    "RenameField": Case(
        [operations.RenameField("story", "heading", "title")], [operations.RenameField("story", "title", "heading")]
    ),
    "RenameField of a foreign key": Case(
        [operations.RenameField("story", "desk", "section")], [operations.RenameField("story", "section", "desk")]
    ),
    "RenameField of a relation": Case(
        [operations.RenameField("story", "tags", "topics")], [operations.RenameField("story", "topics", "tags")]
    ),
    "RenameField of a child's value": Case(
        [operations.RenameField("image", "alt", "caption")], [operations.RenameField("image", "caption", "alt")]
    ),
    "RenameField, its name given to another": Case(
        [
            operations.RenameField("story", "body", "title"),
            operations.AddField("story", "body", text("anew")),
            operations.AlterField("story", "title", models.CharField(max_length=50)),
        ],
        [
            operations.RemoveIndex("story", "story_title"),
            operations.RemoveField("story", "title"),
        ],
    ),
    "RemoveField": Case([operations.RemoveField("story", "lead")], [operations.AddField("story", "lead", text())]),
    "RemoveField and AddField under one name": Case(
        [
            operations.RemoveField("story", "body"),
            operations.AddField("story", "body", text("anew")),
        ],
    ),
    "RenameModel": Case(
        [operations.RenameModel("Tale", "Story")],
        [operations.RenameModel("Story", "Tale")],
    ),
    "RenameModel of a child": Case(
        [operations.RenameModel("Picture", "Image")], [operations.RenameModel("Image", "Picture")]
    ),
    "RenameModel of a relation's other side": Case(
        [operations.RenameModel("Tag", "Topic")], [operations.RenameModel("Topic", "Tag")]
    ),
    "AlterModelTable": Case(
        [operations.AlterModelTable("story", None)], [operations.AlterModelTable("story", "tales")]
    ),
    "AlterModelTableComment": Case(
        [operations.AlterModelTableComment("story", "")], [operations.AlterModelTableComment("story", "a table")]
    ),
    "CreateModel of a child": Case(
        [_creation(Image)],
        [operations.DeleteModel("Image")],
    ),
    "DeleteModel": Case(
        [operations.DeleteModel("Note")],
        [operations.CreateModel("Note", [("id", models.BigAutoField(primary_key=True)), ("text", text())])],
    ),
    "AddIndex": Case(
        [operations.AddIndex("story", models.Index(fields=["title"], name="story_title"))],
        [operations.RemoveIndex("story", "story_title")],
    ),
    "AddIndexConcurrently": Case(
        [AddIndexConcurrently("story", models.Index(fields=["title"], name="story_title"))],
        [operations.RemoveIndex("story", "story_title")],
        atomic=False,
    ),
    "RemoveIndexConcurrently": Case(
        [RemoveIndexConcurrently("story", "story_words_index")],
        [operations.AddIndex("story", models.Index(fields=["words"], name="story_words_index"))],
        atomic=False,
    ),
    "RenameIndex": Case(
        [operations.RenameIndex("story", "story_title", old_name="story_heading")],
        [operations.RenameIndex("story", "story_heading", old_name="story_title")],
    ),
    "AddConstraint": Case(
        [
            operations.AddConstraint(
                "story", models.CheckConstraint(condition=models.Q(words__gte=0), name="story_words")
            )
        ],
        [operations.RemoveConstraint("story", "story_words")],
    ),
    "AlterUniqueTogether": Case(
        [operations.AlterUniqueTogether("story", set())], [operations.AlterUniqueTogether("story", {("title", "body")})]
    ),
    "AlterIndexTogether": Case([operations.AlterIndexTogether("story", set())]),
    "AlterOrderWithRespectTo": Case(
        [operations.AlterOrderWithRespectTo("image", None)], [operations.AlterOrderWithRespectTo("image", "story")]
    ),
    "AlterModelOptions": Case(
        [operations.AlterModelOptions("story", {"verbose_name": "story"})], [operations.AlterModelOptions("story", {})]
    ),
    "AlterModelManagers": Case([operations.AlterModelManagers("story", [])]),
    "AlterConstraint": Case(
        [
            operations.AlterConstraint(
                "story", "story_words", models.CheckConstraint(condition=models.Q(words__gte=0), name="story_words")
            )
        ]
    ),
    "RemoveConstraint": Case(
        [operations.RemoveConstraint("story", "story_long")],
        [operations.AddConstraint("story", models.CheckConstraint(condition=~models.Q(title="no"), name="story_long"))],
    ),
    "RemoveIndex": Case(
        [operations.RemoveIndex("story", "story_words_index")],
        [operations.AddIndex("story", models.Index(fields=["words"], name="story_words_index"))],
    ),
    "RunPython": Case([operations.RunPython(nothing, nothing)]),
    "RunSQL": Case(
        [
            operations.RunSQL(
                "ALTER TABLE migrated_story ALTER words TYPE bigint; SET CONSTRAINTS ALL IMMEDIATE;",
                "ALTER TABLE migrated_story ALTER words TYPE integer",
            )
        ]
    ),
    "SeparateDatabaseAndState": Case(
        [
            operations.SeparateDatabaseAndState(
                [
                    operations.RunSQL(
                        "ALTER TABLE tales RENAME TO migrated_story", "ALTER TABLE migrated_story RENAME TO tales"
                    )
                ],
                [operations.AlterModelTable("story", None)],
            )
        ],
        [operations.AlterModelTable("story", "tales")],
    ),
    "an AddField that is not atomic": Case(
        [operations.AddField("story", "words", models.IntegerField(default=3))],
        [operations.RemoveConstraint("story", "story_words"), operations.RemoveField("story", "words")],
        atomic=False,
    ),
}


def old_state(case: Case) -> ProjectState:
    """As it was before the case's operations."""
    state = new_state()
    for operation in case.before:
        operation.state_forwards(LABEL, state)
    return state


def migration_of(case: Case, *more: Operation) -> Migration:
    return _migration("0002_case", [*case.forwards, *more], atomic=case.atomic)


def _migration(name: str, listed: list[Operation], *, atomic: bool = True) -> Migration:
    return type("Migration", (Migration,), {"operations": listed, "atomic": atomic})(name, LABEL)


def run(migration: Migration, state: ProjectState, names: EarlierNames, *, backwards: bool = False) -> None:
    """As `migrate` does it. state: the one before the migration's operations."""
    owner = connections["owner"]
    with followed(owner, names) as follower:
        follower.begin(str(migration))
        with owner.schema_editor(atomic=migration.atomic) as editor:
            (migration.unapply if backwards else migration.apply)(state.clone(), editor)
        follower.end()


@pytest.fixture(scope="module")
def installed() -> Iterator[None]:
    """The models belong to an app that is installed."""
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, "testkit.audittrail.migrated"]):
        request_started.disconnect(dispatch_uid=FIRST_REQUEST)
        yield
    request_started.disconnect(dispatch_uid=FIRST_REQUEST)


@pytest.fixture(scope="module")
def template(installed, django_db_setup, django_db_blocker) -> Iterator[str]:
    """A database in which the models have been made while capture followed."""
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), cloned_database("migrated") as name:
        patch.setattr(tracking, "_tracked", dict(tracking._tracked))
        _track()
        with pointed_at(name):
            run(_migration("0001_initial", [_creation(model) for model in MODELS]), ProjectState(), EarlierNames())
            connections.close_all()
        yield name


def _track() -> None:
    images = Relation("images", fields=("caption",), texts=("text",))
    track(
        Story,
        kind=KIND,
        fields=("title", "words", "section"),
        texts=("body",),
        relations=(Relation("topics", label="name"), images),
        labels={"section": "name"},
        title="title",
    )


@pytest.fixture
def stories(template, monkeypatch, django_db_blocker) -> Iterator[None]:
    """Two stories, in a database of the test's own."""
    monkeypatch.setattr(tracking, "_tracked", dict(tracking._tracked))
    with django_db_blocker.unblock(), cloned_database(uuid.uuid4().hex[:8], template) as name, pointed_at(name):
        section: Any = Section._default_manager.create(name="Local")
        topic: Any = Topic._default_manager.create(name="bridge")
        for title in ("One", "Two"):
            with transaction.atomic():
                story: Any = Story._default_manager.create(
                    title=title, body=f"{title}, at length.", words=3, section=section
                )
                story.topics.add(topic)
                story.images.create(caption="The bridge", text="A bridge.")
        yield


def model_of(state: ProjectState) -> Any:
    """The model of stories, as a migration sees it."""
    (name,) = {"story", "tale"} & {name for _, name in state.models}
    return state.apps.get_model(LABEL, name)


def text_field(model: Any) -> str:
    return next(name for name in ("title", "heading", "body") if name in {f.name for f in model._meta.fields})


def events() -> list[OutboxEvent]:
    return list(OutboxEvent.objects.filter(kind=KIND).order_by("article_id", "sequence"))


def ask(state: ProjectState, value: str) -> None:
    """Whether capture is on: the site changes a story, which is one more event, of who changed it."""
    model, count = model_of(state), OutboxEvent.objects.filter(kind=KIND).count()
    story = model.objects.order_by("pk").first()
    with context(actor=Actor("service", "asking")):
        assert model.objects.filter(pk=story.pk).update(**{text_field(model): value}) == 1
    event = OutboxEvent.objects.filter(article_id=f"{KIND}:{story.pk}").latest("sequence")
    assert OutboxEvent.objects.filter(kind=KIND).count() == count + 1
    assert event.actor_id == "asking" and value in str((event.changes, event.texts_after))
    assert drift() == []


def drift() -> list[tuple]:
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT d.* FROM audit_drift(%s, ARRAY(SELECT id::text FROM " + table() + ")) d", [KIND])
        return cursor.fetchall()


def table() -> str:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^(migrated_(story|tale)|tales)$'"
        )
        return cursor.fetchone()[0]


def data(value: str) -> Operation:
    """A data migration, through the site's own alias, as those of other apps."""

    def change(apps: Any, editor: object) -> None:
        model = apps.get_model(LABEL, "Story")
        model.objects.update(body=value)

    return operations.RunPython(change, nothing)


@pytest.mark.usefixtures("stories")
@pytest.mark.parametrize("name", CASES)
def test_capture_is_on_before_and_after_backwards_and_forwards(name):
    case = CASES[name]
    old, new, migration = old_state(case), new_state(), migration_of(case)
    names = earlier_names(old, [migration])
    ask(new, "Before")
    run(migration, old, names, backwards=True)
    ask(old, "Between")
    run(migration, old, names)
    ask(new, "After")
    assert breaks(captured()) == []
    assert len({event.article_id for event in events()}) == 2
    assert install("owner") == []


@pytest.mark.usefixtures("stories")
@pytest.mark.parametrize("name", CASES)
def test_what_migrations_change_are_their_events(name):
    case = CASES[name]
    old, migration = old_state(case), migration_of(case, data("By a migration."))
    names = earlier_names(old, [migration])
    run(migration, old, names, backwards=True)
    before = len(events())
    run(migration, old, names)
    made = [event for event in events() if event.actor_id == "migrated.0002_case"]
    assert {event.context["channel"] for event in made} == {"migration"}
    last = {event.article_id: event for event in made}
    assert len(last) == 2 and all(event.texts_after[-1] == "By a migration." for event in last.values())
    assert len(events()) >= before + 2 and {event.actor_type for event in events()[2:]} <= {"service", "unknown"}
    assert drift() == [] and breaks(captured()) == []


def test_every_operation_of_django_is_among_them():
    used = {type(each).__name__ for case in CASES.values() for each in case.forwards} | {"CreateModel"}
    assert set(operations.__all__) <= used


# The command


@pytest.fixture
def steps(stories, tmp_path, monkeypatch, settings) -> Callable[[str, str], None]:
    """Writes a migration of the app: its name and its operations, in Python."""
    package = tmp_path / "steps"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith("steps")]:
        monkeypatch.delitem(sys.modules, name)
    settings.MIGRATION_MODULES = {LABEL: "steps"}
    written: list[str] = []

    def write(name: str, listed: str) -> None:
        needs = [(LABEL, written[-1])] if written else []
        (package / f"{name}.py").write_text(
            f"from django.db import models\nfrom django.db.migrations import Migration as Base, operations as op\n"
            f"class Migration(Base):\n    dependencies = {needs}\n    operations = [{listed}]\n"
        )
        written.append(name)
        importlib.invalidate_caches()

    write("0001_initial", STORY)
    call_command("migrate", LABEL, "0001", fake=True, verbosity=0)
    return write


STORY = """op.CreateModel("Story", [
    ("id", models.BigAutoField(primary_key=True)), ("title", models.CharField(max_length=50)),
    ("body", models.TextField(default="")), ("words", models.IntegerField(default=0))])"""
BY_ANOTHER_APP = "UPDATE migrated_story SET title = title || '!'"


def migrate() -> str:
    out = io.StringIO()
    call_command("migrate", stdout=out)
    return out.getvalue()


def test_a_run_renames_and_alters_and_changes_rows(steps):
    steps("0002_heading", 'op.RenameField("story", "title", "heading")')
    steps("0003_rows", f'op.RunSQL("{BY_ANOTHER_APP.replace("title", "heading")}")')
    steps(
        "0004_title",
        'op.RenameField("story", "heading", "title"),'
        'op.AlterField("story", "words", models.BigIntegerField(default=0))',
    )
    migrate()
    made = [event for event in events() if event.actor_type == "service"]
    assert {(event.actor_id, event.context["channel"]) for event in made} == {("migrated.0003_rows", "migration")}
    assert [event.title for event in made] == ["One!", "Two!"]
    ask(new_state(), "After")
    assert breaks(captured()) == []


def test_a_run_that_fails_half_way_leaves_capture_on(steps):
    steps("0002_words", 'op.AlterField("story", "words", models.BigIntegerField(default=0))')
    steps("0003_fails", f'op.RunSQL("{BY_ANOTHER_APP}"), op.RemoveField("story", "words"), op.RunSQL("SELECT 1/0")')
    before = len(events())
    with pytest.raises(DataError):
        migrate()
    assert len(events()) == before
    ask(new_state(), "After")
    assert inspect().problems == []


def test_the_default_connection_is_the_site_s_again(steps):
    default = connections["default"]
    steps("0002_rows", f'op.RunSQL("{BY_ANOTHER_APP}")')
    migrate()
    assert connections["default"] is default and default.settings_dict["USER"] == "audit_app"


def test_a_renamed_model_without_its_kind_is_refused_with_what_to_write(steps, monkeypatch):
    steps("0002_renamed", 'op.RenameModel("Story", "Tale")')
    (tracked,) = [each for each in tracking.all_tracked() if each.kind == KIND]
    monkeypatch.delitem(tracking._tracked, KIND)
    monkeypatch.setitem(tracking._tracked, "migrated.tale", replace(tracked, kind="migrated.tale"))
    with pytest.raises(CommandError, match=r"0002_renamed renames migrated.story .*kind='migrated.story' in its track"):
        migrate()
    monkeypatch.delitem(tracking._tracked, "migrated.tale")
    monkeypatch.setitem(tracking._tracked, KIND, tracked)
    ask(new_state(), "After")


def test_a_dropped_table_is_the_end_of_its_articles(steps, monkeypatch):
    monkeypatch.delitem(tracking._tracked, KIND)
    steps("0002_end", 'op.DeleteModel("Story")')
    migrate()
    last = {event.article_id: event for event in events()}
    assert {(event.operation, event.actor_id) for event in last.values()} == {("delete", "migrated.0002_end")}
    assert breaks(captured()) == []


def test_migrations_of_other_apps_write_as_the_owner_from_the_first_run_on(steps):
    """They name no alias; the site's role may not do what they do."""
    steps(
        "0002_rows", "op.RunPython(lambda apps, editor: apps.get_model('contenttypes', 'ContentType').objects.count())"
    )
    with connections["owner"].cursor() as cursor:
        cursor.execute("REVOKE ALL ON django_content_type FROM audit_app")
        cursor.execute("ALTER TABLE audittrail_head RENAME TO not_there_yet")
    migrate()
