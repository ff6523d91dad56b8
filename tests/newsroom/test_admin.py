import pytest
from django.contrib.auth import get_user_model
from django.contrib.messages import get_messages
from django.core.management import call_command
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from newsroom.models import Article, BodyFormat, Credit, Section, Status, Tag


@pytest.fixture
def desk(editor) -> Client:
    return _logged_in(editor)


def _logged_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def _change_url(article: Article) -> str:
    return reverse("admin:newsroom_article_change", args=[article.pk])


def _form(article: Article | None = None, credits=(), **values) -> dict:
    stored = list(article.credits.all()) if article else []
    form = {
        "headline": article.headline if article else "",
        "standfirst": article.standfirst if article else "",
        "body": article.body if article else "",
        "slug": article.slug if article else "",
        "section": "",
        "credits-TOTAL_FORMS": len(stored) + len(credits),
        "credits-INITIAL_FORMS": len(stored),
    }
    for number, author in enumerate(credits, start=len(stored)):
        form |= {f"credits-{number}-author": author.pk, f"credits-{number}-position": number}
    return {**form, **values}


def test_one_form_with_headline_tags_and_credits_is_one_event(desk, article, editors_author, events):
    tag, section = Tag.objects.create(name="ferries"), Section.objects.create(name="Local", slug="local")
    form = _form(article, credits=[editors_author], headline="Ferry sails", tags=[tag.pk], section=section.pk)
    assert desk.post(_change_url(article), form).status_code == 302
    event = events(article)[-1]
    assert event.sequence == 2
    assert {change["field"] for change in event.changes} == {"headline", "tags", "credits", "section"}
    assert (event.actor_type, event.actor_id) == ("user", f"newsroom.author:{editors_author.pk}")


def test_a_form_that_changes_nothing_is_recorded(desk, article, events):
    desk.post(_change_url(article), _form(article))
    event = events(article)[-1]
    assert (event.sequence, event.operation, event.changes, event.text_fields) == (2, "update", [], [])


def test_html_is_sanitised_on_save(desk, article):
    desk.post(_change_url(article), _form(article, body="<p>Tide<script>alert(1)</script></p>"))
    article.refresh_from_db()
    assert article.body == "<p>Tide</p>"


def test_a_plain_body_keeps_every_character(desk, users):
    body = "\n Title\n=====\r\fText <b> & more \n"
    article = Article.objects.create(headline="Plain", slug="plain-1", body=body, body_format=BodyFormat.PLAIN)
    desk.post(
        _change_url(article), _form(article, body=body.replace("\r", "\n").replace("\n", "\r\n"), headline="Plainer")
    )
    article.refresh_from_db()
    assert (article.headline, article.body) == ("Plainer", body)


def test_an_edited_plain_body_keeps_line_ends(desk, users):
    article = Article.objects.create(headline="Plain", slug="plain-2", body="One.\n", body_format=BodyFormat.PLAIN)
    desk.post(_change_url(article), _form(article, body="One.\r\nTwo.\r\n"))
    article.refresh_from_db()
    assert article.body == "One.\nTwo.\n"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"headline": "🦀" * 10_000}, "The headline has 10000 characters; its limit is 300. Shorten it."),
        ({"headline": "Fer\0ry"}, "The headline contains a NUL character. Remove it."),
        ({"body": "<p>Ti\0de</p>"}, "The body contains a NUL character. Remove it."),
        ({"standfirst": "x" * 2_001}, "The standfirst has 2001 characters; its limit is 2000. Shorten it."),
    ],
)
def test_bad_input_is_told_beside_its_field(desk, article, events, values, message):
    response = desk.post(_change_url(article), _form(article, **values))
    assert response.context["adminform"].form.errors == {next(iter(values)): [message]}
    assert len(events(article)) == 1


def test_a_body_of_five_megabytes_can_be_posted(desk, article):
    body = "<p>" + "Ebb and flow. " * 375_000 + "</p>"
    assert desk.post(_change_url(article), _form(article, body=body)).status_code == 302
    article.refresh_from_db()
    assert article.body == body


def test_an_article_is_written_and_published_by_its_buttons(desk, article, events):
    for action, status in (
        ("send_to_review", Status.IN_REVIEW),
        ("publish", Status.PUBLISHED),
        ("unpublish", Status.DRAFT),
        ("archive", Status.ARCHIVED),
    ):
        url = reverse(f"admin:newsroom_article_{action}", args=[article.pk])
        desk.post(url, {"_form_submitted": "True"})
        article.refresh_from_db()
        assert article.status == status
    assert len(events(article)) == 5
    assert {event.context["channel"] for event in events(article)[1:]} == {"web"}


def test_opening_the_question_changes_nothing(desk, article):
    assert desk.get(reverse("admin:newsroom_article_send_to_review", args=[article.pk])).status_code == 200
    article.refresh_from_db()
    assert article.status == Status.DRAFT


def test_a_time_in_the_past_is_explained(desk, article):
    Article.objects.filter(pk=article.pk).update(status=Status.IN_REVIEW)
    response = desk.post(
        reverse("admin:newsroom_article_schedule", args=[article.pk]),
        {"_form_submitted": "True", "at": "2001-01-01T06:30"},
    )
    assert "has passed" in str(next(iter(get_messages(response.wsgi_request))))


@pytest.mark.parametrize(
    ("status", "buttons"),
    [
        (Status.DRAFT, {"send_to_review", "archive"}),
        (Status.IN_REVIEW, {"schedule", "publish", "archive"}),
        (Status.SCHEDULED, {"schedule", "publish", "unpublish"}),
        (Status.PUBLISHED, {"unpublish", "archive"}),
        (Status.ARCHIVED, {"send_to_review"}),
    ],
)
def test_buttons_fit_the_state(desk, article, status, buttons):
    Article.objects.filter(pk=article.pk).update(status=status)
    shown = {button["path"].split("/")[-2] for button in desk.get(_change_url(article)).context["actions_detail"]}
    assert shown - {"timeline"} == buttons


def test_the_timeline_is_linked(desk, article):
    response = desk.get(reverse("admin:newsroom_article_timeline", args=[article.pk]))
    assert response.url == reverse("admin:audittrail_timeline", args=[f"newsroom.article:{article.pk}"])


def test_an_auditor_reads_and_cannot_write(users, article, events):
    auditor = _logged_in(users["auditor"])
    response = auditor.get(_change_url(article))
    assert response.status_code == 200
    assert [button["path"].split("/")[-2] for button in response.context["actions_detail"]] == ["timeline"]
    assert auditor.post(_change_url(article), _form(article, headline="Mine")).status_code == 403
    assert (
        auditor.post(
            reverse("admin:newsroom_article_archive", args=[article.pk]), {"_form_submitted": "True"}
        ).status_code
        == 403
    )
    assert len(events(article)) == 1


def test_who_only_reads_sees_nothing_of_a_password(users):
    page = _logged_in(users["auditor"]).get(reverse("admin:auth_user_change", args=[users["editor"].pk]))
    assert page.status_code == 200
    assert not any(word in page.content.decode() for word in ("pbkdf2", "md5$", "algorithm", "salt", "iterations"))


def test_who_only_reads_sees_sanitised_text(users, article):
    Article.objects.filter(pk=article.pk).update(body="<p>Tide<script>alert(1)</script></p>")
    page = _logged_in(users["auditor"]).get(_change_url(article)).content.decode()
    assert '<div class="newsroom-text"><p>Tide</p></div>' in page
    assert "alert(1)" not in page


def test_the_list_counts_nothing_and_asks_few_questions(desk, article, editors_author, django_assert_max_num_queries):
    for number in range(10):
        another = Article.objects.create(headline=f"Note {number}", slug=f"note-{number}", body="x" * 1_000)
        Credit.objects.create(article=another, author=editors_author)
    with django_assert_max_num_queries(10) as captured:
        assert desk.get(reverse("admin:newsroom_article_changelist")).status_code == 200
    statements = [query["sql"] for query in captured.captured_queries]
    assert not [sql for sql in statements if "COUNT(" in sql or '"newsroom_article"."body"' in sql]


@pytest.mark.parametrize("model", ["article", "author", "section", "tag"])
def test_pages_for_adding_and_listing_open(users, model):
    client = _logged_in(get_user_model().objects.create_superuser(f"chief-of-{model}"))
    assert client.get(reverse(f"admin:newsroom_{model}_add")).status_code == 200
    assert (
        client.get(
            reverse(f"admin:newsroom_{model}_changelist"), {"q": "ferry"} if model != "author" else {}
        ).status_code
        == 200
    )


def test_demo_logins_may_be_made_again_and_work(module_database, capsys):
    call_command("create_demo_logins")
    call_command("create_demo_logins")
    printed = capsys.readouterr().out
    for username, password in (
        ("editor", "editor-demo"),
        ("platform-admin", "platform-admin-demo"),
        ("auditor", "auditor-demo"),
    ):
        assert f"{username:<16} {password}" in printed
        assert Client().login(request=HttpRequest(), username=username, password=password)


@pytest.mark.parametrize(
    ("username", "may", "may_not"),
    [
        ("editor", {"newsroom.publish_article", "audittrail.view_auditevent"}, {"consumers.change_stagecontrol"}),
        (
            "platform-admin",
            {"consumers.change_stagecontrol", "consumers.change_setasideevent"},
            {"newsroom.change_article"},
        ),
        (
            "auditor",
            {"audittrail.view_auditevent", "consumers.view_stagecontrol", "newsroom.view_article"},
            {"consumers.change_stagecontrol", "newsroom.change_article"},
        ),
    ],
)
def test_roles(users, username, may, may_not):
    permissions = users[username].get_all_permissions()
    assert may <= permissions
    assert not may_not & permissions
