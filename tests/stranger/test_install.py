"""The site is migrated from nothing by roles of its own names, and its check finds nothing, through the pool."""

import pytest

pytestmark = pytest.mark.service


def test_migrate_makes_a_site_from_nothing(unmigrated_site):
    migrated = unmigrated_site.manage("migrate", "--verbosity", "0")
    assert (migrated.returncode, migrated.stdout) == (0, "")


def test_check_through_the_pool_finds_nothing_wrong(site):
    checked = site.manage("check", "--database", "default")
    assert checked.stdout == "System check identified no issues (0 silenced).\n"


BEFORE_THE_TRAIL = """
from django.db import connections
tables = 'press_topic', 'press_article', 'press_translation'
with transaction.atomic(using='owner'), connections['owner'].cursor() as cursor:
    for table in tables:
        cursor.execute(f'ALTER TABLE {table} DISABLE TRIGGER USER')
    Topic(slug='older', name='Older').save(using='owner')
    a = Article(title='Older', number='older', topic_id='older')
    a.save(using='owner')
    Translation(article=a, language='de', text='Alt').save(using='owner')
    cursor.execute('SET CONSTRAINTS ALL IMMEDIATE')
    for table in tables:
        cursor.execute(f'ALTER TABLE {table} ENABLE TRIGGER USER')
answer = article_id(a)
"""


def test_what_was_there_before_the_trail_gets_event_1(site, newsroom):
    article = newsroom.run(BEFORE_THE_TRAIL)
    given = site.manage("capture_baseline")
    assert given.returncode == 0, given.stdout
    assert [event["operation"] for event in site.events("press.topic:older")] == ["create"]
    (event,) = site.events(article)
    assert (event["operation"], event["title"], "Alt" in event["texts_after"]) == ("create", "Older", True)
