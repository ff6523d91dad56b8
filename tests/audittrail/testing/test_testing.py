"""What test settings take from the trail: databases of one role, and a flush that runs in tests only."""

import pytest
from django.core import mail
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections

from audittrail.models import Head, OutboxEvent
from audittrail.testing import Databases, as_owner
from audittrail.testing.management.commands import flush
from newsroom.models import Article

DATABASES: Databases = {
    "default": {"NAME": "site", "USER": "app", "PORT": 6432},
    "owner": {"NAME": "site", "USER": "owner", "PORT": 5432},
    "figures": {"NAME": "figures", "USER": "app"},
}


def test_every_alias_of_the_trail_s_database_is_the_owner_and_others_stay():
    owner = DATABASES["owner"]
    assert as_owner(DATABASES) == {"default": owner, "owner": owner, "figures": DATABASES["figures"]}


def test_aliases_share_no_parameters():
    databases = as_owner(DATABASES)
    databases["default"]["NAME"] = "test_site"
    assert databases["owner"]["NAME"] == "site"


def test_flush_is_refused_where_no_tests_run(monkeypatch):
    monkeypatch.delattr(mail, "outbox")
    with pytest.raises(CommandError, match="no tests run"):
        call_command(flush.Command(), database="owner", interactive=False, verbosity=0)


def test_flush_empties_articles_and_trail_and_truncate_is_refused_again(fresh_database):
    Article.objects.create(headline="Harbour bridge closed", slug="bridge", body="b")
    call_command(flush.Command(), database="owner", interactive=False, verbosity=0)
    assert not (Article.objects.exists() or Head.objects.exists() or OutboxEvent.objects.exists())
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT DISTINCT tgenabled FROM pg_trigger WHERE tgname = '0_audit_refuse_truncate'")
        assert cursor.fetchall() == [("O",)]
