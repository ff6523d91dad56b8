"""What is captured of keys that are no numbers, of inheritance, children, odd columns, and what refers to them."""

import itertools

import pytest

from audittrail.contracts.validation import validate
from audittrail.events.versions import rebuild
from testkit.audittrail.chains import breaks

pytestmark = pytest.mark.service

_numbers = itertools.count(1)


@pytest.fixture
def article(newsroom) -> str:
    """An article whose row is `a` in the session; its identity."""
    return newsroom.run(
        f"a = Article.objects.create(title='Bridge closed', number='n{next(_numbers)}', body='<p>Cracks.</p>')\n"
        "answer = article_id(a)"
    )


@pytest.fixture
def last_change(site, newsroom, article):
    """A function: runs statements on `a`, and gives the one event that they made."""

    def change(statements: str) -> dict:
        before = len(site.events(article))
        newsroom.run(statements)
        events = site.events(article)
        assert len(events) == before + 1, [event["changes"] for event in events[before:]]
        return events[-1]

    return change


def scalar(field: str, before: str | None, after: str | None) -> dict:
    return {"field": field, "kind": "scalar", "before": before, "after": after}


def test_a_save_through_the_pool_has_its_actor_its_changes_and_their_names(site, newsroom, last_change):
    editor = newsroom.run(
        "kim = Person.objects.create(email='kim@example.org', name='Kim Reyes'); answer = str(kim.pk)\n"
        "Topic.objects.create(slug='transport', name='Transport & roads')\n"
        "Agency.objects.create(code='DPA', name='Deutsche Presse-Agentur')\n"
    )
    event = last_change(
        "with context(actor=Actor('user', f'press.person:{kim.pk}'), channel='web'):\n"
        "    a.title, a.topic_id, a.agency_id, a.editor = 'Bridge open', 'transport', 'DPA', kim\n"
        "    a.save()\n"
    )
    assert (event["actor_type"], event["actor_id"], event["actor_version"]) == ("user", f"press.person:{editor}", 1)
    assert (event["context"], event["title"]) == ({"channel": "web"}, "Bridge open")
    assert sorted(event["changes"], key=lambda change: change["field"]) == [
        scalar("agency", None, "DPA"),
        scalar("editor", None, editor),
        scalar("title", "Bridge closed", "Bridge open"),
        scalar("topic", None, "transport"),
    ]
    assert event["labels"] == {
        "agency": {"DPA": "Deutsche Presse-Agentur"},
        "editor": {editor: "Kim Reyes"},
        "topic": {"transport": "Transport & roads"},
    }


def test_a_column_and_a_text_of_the_parent_s_table_are_the_article_s(last_change):
    event = last_change("Page.objects.filter(pk=a.pk).update(title='Changed by the parent', summary='In short')")
    assert scalar("title", "Bridge closed", "Changed by the parent") in event["changes"]
    assert (event["text_fields"], event["texts_before"], event["texts_after"]) == (["summary"], [""], ["In short"])


def test_a_page_that_is_no_article_has_no_event(site, newsroom):
    key = newsroom.run("page = Page.objects.create(title='Imprint'); page.save(); answer = str(page.pk)")
    assert site.query("SELECT * FROM audittrail_outboxevent WHERE article_id LIKE %s", f"%{key}") == []


def test_the_caption_of_an_image_that_is_edited_is_one_change_of_its_article(newsroom, last_change):
    image = newsroom.run("i = Image.objects.create(article=a, caption='The bridge'); answer = str(i.pk)")
    event = last_change("i.caption = 'The bridge at dawn'; i.save()")
    assert event["changes"] == [scalar(f"images/{image}/caption", "The bridge", "The bridge at dawn")]


def test_the_text_of_a_translation_that_is_edited_is_kept_whole_before_and_after(newsroom, last_change):
    key = newsroom.run("t = Translation.objects.create(article=a, language='de', text='Risse.'); answer = t.pk")
    event = last_change("t.text = 'Tiefe Risse.'; t.save()")
    field = f"translations/{key}/text"
    assert event["changes"] == [{"field": field, "kind": "text"}]
    assert (event["text_fields"], event["texts_before"], event["texts_after"]) == (
        [field],
        ["Risse."],
        ["Tiefe Risse."],
    )


def test_a_child_that_comes_and_one_that_goes_bring_and_take_their_values(newsroom, last_change):
    newsroom.run("i = Image.objects.create(article=a, caption='Old', alt='old')")
    event = last_change(
        "old, gone = str(i.pk), i.delete()\nnew = Image.objects.create(article=a, caption='New')".replace(
            "\n", "\n    "
        ).join(("with transaction.atomic():\n    ", "\n"))
    )
    old, new = newsroom.run("answer = old, str(new.pk)")
    assert sorted(event["changes"], key=lambda change: change["field"]) == sorted(
        [
            {"field": "images", "kind": "relation", "before_ids": [old], "after_ids": [new]},
            scalar(f"images/{old}/caption", "Old", None),
            scalar(f"images/{old}/alt", "old", None),
            scalar(f"images/{new}/caption", None, "New"),
            scalar(f"images/{new}/alt", None, ""),
        ],
        key=lambda change: change["field"],
    )


def test_a_child_that_refers_to_another_column_than_the_key_is_its_article_s(newsroom, last_change):
    event = last_change("c = Correction.objects.create(article=a, note='It was the other bridge.')")
    key = newsroom.run("answer = str(c.pk)")
    assert [change["field"] for change in event["changes"]] == ["corrections", f"corrections/{key}/note"]


def test_a_contributor_who_is_deleted_leaves_the_article(newsroom, last_change):
    person = newsroom.run(
        "p = Person.objects.create(email=f'{a.pk}@example.org', name='Ada'); answer = str(p.pk)\n"
        "Contribution.objects.create(article=a, person=p)"
    )
    event = last_change("p.delete()")
    assert event["changes"] == [{"field": "contributions", "kind": "relation", "before_ids": [person], "after_ids": []}]
    assert event["labels"] == {"contributions": {person: "Ada"}}


def test_an_editor_who_is_deleted_leaves_a_name(newsroom, last_change):
    editor = newsroom.run(
        "e = Person.objects.create(email=f'{a.pk}@example.com', name='Lin'); a.editor = e; a.save(); answer = str(e.pk)"
    )
    event = last_change("e.delete()")
    assert event["changes"] == [scalar("editor", editor, None)]
    assert event["labels"] == {"editor": {editor: "Lin"}}


@pytest.mark.parametrize(
    ("field", "value", "canonical"),
    [
        ("keywords", "['bridge', 'a, b', 'Zürich \"old\"']", '{bridge,"a, b","Zürich \\"old\\""}'),
        (
            "deadlines",
            "[datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)]",
            '{"2026-01-02 03:04:05+00"}',
        ),
        (
            "embargo",
            "(datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.timezone.utc), None)",
            '["2026-01-02 03:00:00+00",)',
        ),
        ("pages", "(1, 5)", "[1,5)"),
        ("layout", "{'columns': 2, 'hero': {'wide': True}}", '{"hero": {"wide": true}, "columns": 2}'),
        ("price", "decimal.Decimal('12.5')", "12.5000"),
        ("reading_time", "datetime.timedelta(days=1, minutes=90, microseconds=5)", "1 day 01:30:00.000005"),
    ],
)
def test_a_value_of_an_odd_type_has_one_text(newsroom, last_change, field, value, canonical):
    event = last_change(f"a.{field} = {value}; a.save()")
    (change,) = event["changes"]
    assert (change["field"], change["after"]) == (field, canonical)


def test_sessions_of_other_time_zones_and_styles_write_the_same_text(newsroom, last_change):
    newsroom.run(
        "a.deadlines = [datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.timezone.utc)]\n"
        "a.reading_time = datetime.timedelta(days=1, minutes=90); a.save()"
    )
    event = last_change(
        "with transaction.atomic(), connection.cursor() as cursor:\n"
        "    cursor.execute(\"SET LOCAL timezone = 'America/New_York'\")\n"
        "    cursor.execute(\"SET LOCAL intervalstyle = 'iso_8601'\")\n"
        "    cursor.execute(\"SET LOCAL datestyle = 'German'\")\n"
        "    a.title = 'Elsewhere'; a.save()"
    )
    assert event["changes"] == [scalar("title", "Bridge closed", "Elsewhere")]


def test_a_place_that_changes_its_case_alone_is_an_event(newsroom, last_change):
    newsroom.run("a.place = 'zürich'; a.save()")
    assert last_change("a.place = 'Zürich'; a.save()")["changes"] == [scalar("place", "zürich", "Zürich")]


def test_a_key_that_is_a_text_is_an_identity(site, newsroom):
    newsroom.run("t = Topic.objects.create(slug='sport', name='Sport'); t.name = 'Sports'; t.save()")
    created, edited = site.events("press.topic:sport")
    assert created["keyframe"] and created["scalars"] == {"slug": "sport", "name": "Sport"}
    assert edited["changes"] == [scalar("name", "Sport", "Sports")]


def test_an_event_of_a_child_that_comes_has_all_texts_of_the_article(newsroom, last_change):
    event = last_change("Image.objects.create(article=a, caption='The bridge')")
    assert event["keyframe"]
    assert dict(zip(event["text_fields"], event["texts_after"], strict=True)) == {
        "body": "<p>Cracks.</p>",
        "summary": "",
    }


@pytest.mark.parametrize(("model", "field"), [("Translation", "translations"), ("Footnote", "footnotes")])
def test_a_text_that_goes_with_its_row_is_kept_as_it_was(site, newsroom, article, last_change, model, field):
    key = newsroom.run(f"t = {model}.objects.create(article=a, text='Risse.'); answer = t.pk")
    last_change("t.delete()")
    changes = {change["field"]: change for change in site.decoded_events(article)[-1]["changes"]}
    text = changes[f"{field}/{key}/text"]
    assert (text["before"], text["after"], text["edits"]) == ("Risse.", None, None)


LIVES_OF_CHILDREN = """
i = Image.objects.create(article=a, caption='One')
f = Footnote.objects.create(article=a, text='Note')
t = Translation.objects.create(article=a, text='Eins')
f.text = 'Longer note'; f.save()
with transaction.atomic():
    t.text = 'Zwei'; t.save(); i.caption = 'Two'; i.save(); a.body = '<p>More cracks.</p>'; a.save()
b = Article.objects.create(title='The other bridge', number=a.number + 'b')
Footnote.objects.update(article=b); Translation.objects.update(article=b); Image.objects.update(article=b)
f.refresh_from_db(); f.text = 'Moved note'; f.save()
with transaction.atomic():
    Footnote.objects.create(article=a, text='Never seen').delete()
    Footnote.objects.create(article=a, text='Instead')
a.summary = 'In short'; a.save()
Translation.objects.filter(article=b).delete(); Footnote.objects.filter(article=b).delete()
Image.objects.filter(article=b).delete()
answer = article_id(b)
"""
"""Children of `a` come, change, move to `b` and go."""


def test_children_that_come_change_move_and_go_leave_whole_chains_and_no_drift(site, newsroom, article):
    other = newsroom.run(LIVES_OF_CHILDREN)
    for each in (article, other):
        events = site.decoded_events(each)
        assert breaks(events) == []
        for event in events:
            validate(event)
        assert site.drift(each) == []
        live = rebuild(events)
        assert live.values["body"] == ("" if each == other else "<p>More cracks.</p>")


def test_deletion_with_parent_and_children_is_one_event(newsroom, last_change):
    newsroom.run("Image.objects.create(article=a); Correction.objects.create(article=a, note='No.')")
    assert last_change("a.delete()")["operation"] == "delete"


def test_nothing_that_is_live_differs_from_what_was_captured(site, newsroom, article):
    newsroom.run("Image.objects.create(article=a, caption='The bridge'); a.price = decimal.Decimal('1'); a.save()")
    assert site.drift(article) == []
