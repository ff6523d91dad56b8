"""Models and migrations agree, in the types of columns too. No database is asked."""

from django.apps import apps
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState


def test_no_change_of_a_model_lacks_its_migration():
    loader = MigrationLoader(None)
    autodetector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))

    changes = autodetector.changes(graph=loader.graph)

    assert {label: changes[label] for label in ("audittrail", "consumers", "newsroom") if label in changes} == {}
