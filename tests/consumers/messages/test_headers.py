"""What travels beside an event: CloudEvents attributes and the trace of the request that made it."""

import random
import string
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from audittrail.capture.middleware import AuditContextMiddleware
from audittrail.models import AuditEvent
from consumers import conf
from consumers.messages import tracing
from consumers.stages.database import DatabaseSink
from consumers.stages.enricher import Enricher
from newsroom.models import Article
from testkit.consumers.relaying import relaying
from testkit.consumers.running import put, running
from testkit.consumers.witness import committed, pending
from testkit.waiting import until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


def _post(traceparent: str | None) -> None:
    """A request through the middleware that saves an article."""

    def view(request):
        Article.objects.create(headline="Tram", slug="tram", body="Some words.")
        return HttpResponse()

    request = RequestFactory(headers={"traceparent": traceparent} if traceparent else {}).post("/")
    request.user = AnonymousUser()
    AuditContextMiddleware(view)(request)


def _enrich_all() -> None:
    """Relay, enricher and database sink until the event is at rest."""
    with ExitStack() as stages:
        stages.enter_context(relaying())
        stages.enter_context(running(Enricher()))
        stages.enter_context(running(DatabaseSink()))
        until(AuditEvent.objects.exists, what="an event at rest")


def _headers(topic: str) -> dict[str, str]:
    (message,) = committed(topic)
    return {name: value.decode() for name, value in message.headers()}


@pytest.fixture
def spans(monkeypatch) -> InMemorySpanExporter:
    """Tracing on, its spans kept here."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    return exporter


def test_cloudevents_attributes_and_the_trace_travel_unchanged_without_an_exporter(own_trail):
    _post(TRACEPARENT)
    _enrich_all()

    event, raw, enriched = AuditEvent.objects.get(), _headers(conf.raw_topic()), _headers(conf.enriched_topic())
    assert raw.pop("audit_mac") != enriched.pop("audit_mac")
    assert raw == {
        "ce_specversion": "1.0",
        "ce_id": str(event.event_id),
        "ce_type": "audittrail.create",
        "ce_source": "/newsroom",
        "ce_subject": event.article_id,
        "ce_time": event.occurred_at.isoformat(),
        "content-type": "application/vnd.confluent.avro",
        "traceparent": TRACEPARENT,
    }
    assert enriched == raw | {"ce_type": "audittrail.created"}


def test_a_word_taken_out_of_a_large_article_is_less_than_a_kilobyte_on_the_wire(own_trail, own_bucket):
    words = "".join(random.Random(1).choices(string.ascii_lowercase + " ", k=100_000))
    article = Article.objects.create(headline="Tram", slug="tram", body=f"{words[:50_000]} alleged {words[50_000:]}")
    Article.objects.filter(pk=article.pk).update(body=f"{words[:50_000]} {words[50_000:]}")
    with relaying():
        until(lambda: not pending(), what="a drained outbox")

    edited = next(
        message for message in committed(conf.raw_topic()) if dict(message.headers())["ce_type"] == b"audittrail.update"
    )
    headers = sum(len(name) + len(value) for name, value in edited.headers())
    assert len(edited.key()) + len(edited.value()) + headers <= 1024


def test_each_stage_adds_a_span_to_the_trace_of_the_request(own_trail, spans):
    _post(TRACEPARENT)
    _enrich_all()

    found = {span.name: span for span in spans.get_finished_spans()}
    chain = [found[name] for name in ("relay publish", "enricher process", "database process")]
    assert {f"{span.context.trace_id:032x}" for span in chain} == {TRACE}
    assert [f"{span.parent.span_id:016x}" for span in chain] == [
        SPAN,
        *(f"{span.context.span_id:016x}" for span in chain[:-1]),
    ]
    assert chain[2].attributes["messaging.destination.name"] == conf.enriched_topic()


@pytest.mark.parametrize("traceparent", [None, "not-a-traceparent", f"00-{'0' * 32}-{SPAN}-01"])
def test_without_a_well_formed_trace_there_is_no_header_and_no_span(own_trail, spans, traceparent):
    _post(traceparent)
    _enrich_all()

    assert "traceparent" not in _headers(conf.enriched_topic())
    assert spans.get_finished_spans() == ()


def test_a_dead_letter_is_a_cloudevent_too(own_trail):
    put(conf.raw_topic(), [(0, b"k", b"no event", {"traceparent": TRACEPARENT.encode()})])
    with running(Enricher()):
        (message,) = until(lambda: committed(conf.dead_letter_topic()), what="a dead letter")
    headers = {name: value.decode() for name, value in message.headers()}
    assert {"ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type"} <= set(headers)
    assert (headers["ce_id"], headers["reason"]) == (message.key().decode(), "wrong_magic_byte")


def test_nothing_is_exported_unless_it_is_configured_where_to(monkeypatch):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    with tracing.exported("enricher"):
        assert tracing._tracer is None


@pytest.mark.enable_socket
def test_spans_still_held_when_a_process_ends_are_exported(collector, monkeypatch):
    monkeypatch.setattr(tracing, "_tracer", None)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")

    with tracing.exported("relay"):
        tracing.published(TRACEPARENT, timezone.now(), {})

    (body,) = collector.received
    assert b"relay publish" in body and b"audit-trail-relay" in body


@pytest.fixture
def collector():
    """An HTTP server that takes spans; bodies of requests in `received`."""

    class Collector(HTTPServer):
        received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            server.received.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = Collector(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
