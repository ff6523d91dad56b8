"""What a site has forgotten is said by `manage.py check`, with its remedy."""

import pytest
from django.conf import settings

from audittrail.capture.checks import MIDDLEWARE, settings_fit


@pytest.fixture
def found_with(monkeypatch):
    """What is found where a setting has another value. Django is not told: it would make its storages anew."""

    def found(name, value):
        monkeypatch.setattr(settings, name, value)
        return [(each.id, each.msg, each.hint) for each in settings_fit(None)]

    return found


def test_this_site_has_all():
    assert settings_fit(None) == []


@pytest.mark.parametrize(
    ("users", "number", "says"),
    [
        ({"pipeline": None}, "E010", "DATABASES has no 'pipeline'"),
        ({"default": "cms_app"}, "E011", "connects as 'cms_app', and rights are given to 'audit_app'"),
        ({"pipeline": "cms_pipe"}, "E011", "connects as 'cms_pipe'"),
        ({"default": "audit_app", "owner": "audit_app"}, "E012", "connects as the owner, 'audit_app'"),
    ],
)
def test_databases_that_are_missing_or_of_another_role(found_with, users, number, says):
    given = {
        alias: {**database, "USER": users.get(alias, database["USER"])}
        for alias, database in settings.DATABASES.items()
        if users.get(alias, "") is not None
    }
    ((code, text, hint),) = found_with("DATABASES", given)
    assert (code, bool(hint)) == (f"audittrail.{number}", True) and says in text


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("STORAGES", {}, "STORAGES has no 'audit'"),
        ("MIDDLEWARE", ["django.middleware.common.CommonMiddleware"], f"MIDDLEWARE lacks {MIDDLEWARE}"),
        ("AUDIT_ACTOR_OF_USER", "newsroom.actors.nobody", "cannot be imported"),
        ("AUDIT_ACTOR_OF_USER", "nowhere", "cannot be imported"),
    ],
)
def test_settings_that_are_missing_or_misspelt(found_with, name, value, says):
    ((_, text, hint),) = found_with(name, value)
    assert says in text and hint


def test_search_that_is_not_set_up(monkeypatch):
    monkeypatch.delattr(settings, "ELASTICSEARCH_DSL")
    assert [each.id for each in settings_fit(None)] == ["audittrail.W002"]
