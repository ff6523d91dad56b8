"""The timeline in a real browser: keys, the side panel, news that do not move the list, a range by dragging; and
without JavaScript.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.test import Client
from django.test.testcases import LiveServerThread
from django.urls import reverse
from playwright.sync_api import (
    Browser,
    FloatRect,
    Locator,
    Page,
    expect,
    sync_playwright,
)

from newsroom.models import Article
from testkit.audittrail.histories import KIM, History, bridge

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
ARTICLE = "newsroom.article:42"
HOSTILE = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium (apt-get install chromium)")


@pytest.fixture(scope="module")
def site(module_database):
    """The address of a server over a database with an article, and one with hostile content."""
    bridge().store()
    hostile = History("newsroom.article:45")
    hostile.save(KIM | {"actor_name": HOSTILE}, headline=HOSTILE, body=f"<p>one</p>{HOSTILE}")
    hostile.store()
    server = LiveServerThread("127.0.0.1", StaticFilesHandler)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    if server.error:
        raise server.error
    yield f"http://127.0.0.1:{server.port}"
    server.terminate()


@pytest.fixture(scope="module")
def browser(site):
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def session(site) -> str:
    """What the cookie of a logged-in reader holds."""
    client = Client()
    client.force_login(User.objects.create_superuser("reader"))
    return client.cookies["sessionid"].value


@pytest.fixture
def timeline(site, browser: Browser, session) -> Iterator[Page]:
    yield from _opened(browser, session, site + reverse("admin:audittrail_timeline", args=[ARTICLE]))


@pytest.fixture
def timeline_without_javascript(site, browser: Browser, session) -> Iterator[Page]:
    yield from _opened(
        browser, session, site + reverse("admin:audittrail_timeline", args=[ARTICLE]), java_script_enabled=False
    )


def _opened(browser: Browser, session: str, url: str, **options) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
    context.add_cookies([{"name": "sessionid", "value": session, "domain": "127.0.0.1", "path": "/"}])
    page = context.new_page()
    page.goto(url)
    yield page
    context.close()


def _box(element: Locator) -> FloatRect:
    box = element.bounding_box()
    assert box, "it is not shown"
    return box


def test_keys_choose_an_event_and_open_its_inspector(timeline: Page):
    timeline.keyboard.press("j")
    timeline.keyboard.press("j")
    timeline.keyboard.press("k")
    expect(timeline.locator(".at-chosen")).to_have_attribute("data-event", "9")
    timeline.keyboard.press("Enter")
    expect(timeline.locator("[data-panel]")).to_contain_text("request-9")


def test_c_compares_the_chosen_event_with_the_one_before(timeline: Page):
    timeline.keyboard.press("j")
    timeline.keyboard.press("c")
    expect(timeline).to_have_url(re.compile(r"compare/\?from=previous&to=9"))
    expect(timeline.locator("del").first).to_contain_text("alleged to have")


def test_keys_typed_into_the_search_box_are_text(timeline: Page):
    timeline.keyboard.press("/")
    timeline.keyboard.type("jkc")
    expect(timeline.locator("[data-search]")).to_have_value("jkc")
    expect(timeline.locator(".at-chosen")).to_have_count(0)


def test_new_events_are_announced_and_the_list_does_not_move(timeline: Page):
    first = timeline.locator("[data-event]").first
    before = _box(first)
    timeline.locator("[data-timeline]").evaluate(
        "timeline => { timeline.dataset.seen = '7'; document.dispatchEvent(new Event('visibilitychange')) }"
    )
    expect(timeline.locator("[data-news-button]")).to_have_text("2 new events")
    assert first.get_attribute("data-event") == "9"
    assert _box(first)["height"] == before["height"]
    expect(timeline.locator("[data-freshness]")).to_contain_text(re.compile(r"current to \d\d:\d\d:\d\d, search"))


def test_dragging_over_the_histogram_sets_the_time_range(timeline: Page):
    box = _box(timeline.locator("[data-histogram] svg"))
    timeline.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + 20)
    timeline.mouse.down()
    timeline.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 20, steps=4)
    timeline.mouse.up()
    expect(timeline).to_have_url(re.compile(r"since=2026-11-23T11.*until=2026-11-23T11"))
    expect(timeline.locator("[data-event]").last).to_have_attribute("data-event", "4")


def test_a_run_of_edits_opens(timeline: Page):
    inside = timeline.locator("#event-6")
    expect(inside).to_be_hidden()
    timeline.locator("[data-run]").click()
    expect(inside).to_be_visible()


def test_without_javascript_everything_can_be_read_and_opened(timeline_without_javascript: Page):
    page = timeline_without_javascript
    expect(page.locator("#event-9")).to_contain_text("skipped two inspections")
    page.locator("[data-run]").click()
    expect(page.locator("#event-6")).to_be_visible()
    page.locator("#event-9 [data-inspect]").click()
    expect(page.locator("h2", has_text="What changed")).to_be_visible()


@pytest.mark.parametrize("name", ["timeline", "event", "version"])
def test_hostile_content_runs_nowhere(site, browser: Browser, session, name):
    sequence = [] if name == "timeline" else [1]
    for page in _opened(
        browser, session, site + reverse(f"admin:audittrail_{name}", args=["newsroom.article:45", *sequence])
    ):
        page.wait_for_load_state("networkidle")
        assert page.title() != "taken"
        assert all(frame.title() != "taken" for frame in page.frames)


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_the_screen(site, browser: Browser, session, width):
    for page in _opened(browser, session, site + reverse("admin:audittrail_articles")):
        page.set_viewport_size({"width": width, "height": 900})
        pages: dict[str, list[object]] = {
            "articles": [],
            "timeline": [ARTICLE],
            "event": [ARTICLE, 9],
            "version": [ARTICLE, 9],
            "compare": [ARTICLE],
            "search": [],
        }
        for name, args in pages.items():
            page.goto(site + reverse(f"admin:audittrail_{name}", args=args))
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


def test_a_word_longer_than_a_phone_does_not_widen_the_page_for_writing(site, browser: Browser, session):
    article = Article.objects.create(headline="Long", slug="long", body=f"<p>{'x' * 200}</p>")

    for page in _opened(browser, session, site + reverse("admin:newsroom_article_change", args=[article.pk])):
        page.set_viewport_size({"width": 390, "height": 844})
        expect(page.locator(".ProseMirror[contenteditable=true]")).to_be_visible()
        page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")  # the scripts see another width


def test_a_histogram_of_one_day_says_from_when_to_when(site, browser: Browser, session):
    for page in _opened(browser, session, site + reverse("admin:audittrail_timeline", args=["newsroom.article:45"])):
        expect(page.locator("figcaption").first).to_contain_text(re.compile(r"\d{4}, \d\d:\d\d"))
