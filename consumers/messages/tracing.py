"""The trace of an event, from the request that made it to the sinks: W3C `traceparent` in the headers, spans by
OpenTelemetry.

Without OTEL_EXPORTER_OTLP_ENDPOINT no span is made, and the header travels as the request sent it. With it, each stage
adds a span to the trace of each event and passes its own on as the parent of the next.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from consumers import conf
from consumers.records import Record

HEADER = "traceparent"

_LONGEST = 512
"""Characters of a traceparent; the version of today has 55."""
_W3C = TraceContextTextMapPropagator()
_tracer: Tracer | None = None


@contextmanager
def exported(stage: str) -> Iterator[None]:
    """Export this process's spans, as service `audit-trail-<stage>`, while the block runs, if an endpoint is set."""
    global _tracer  # noqa: PLW0603 - a process runs one stage, and exports for it
    if not conf.otlp_endpoint():
        yield
        return
    # Importing these takes a third of a second.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: f"audit-trail-{stage}"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("audit-trail")
    try:
        yield
    finally:
        _tracer = None
        provider.shutdown()


def published(traceparent: str | None, captured_at: datetime, attributes: Mapping[str, str | int]) -> str | None:
    """The traceparent of a message about to be published: of a span since the event's capture, or of the request
    itself.

    None for an event without a trace, or whose traceparent is not well-formed or longer than any.
    """
    parent = _context(traceparent if traceparent and len(traceparent) <= _LONGEST else None)
    if parent is None or _tracer is None:
        return traceparent if parent else None
    span = _tracer.start_span(
        "relay publish", parent, SpanKind.PRODUCER, attributes, start_time=int(captured_at.timestamp() * 1e9)
    )
    span.end()
    return _traceparent(trace.set_span_in_context(span))


@contextmanager
def processing(stage: str, records: Iterable[Record]) -> Iterator[None]:
    """Spans of a stage, one for each record that has a trace, for as long as the block runs; what the stage passes on
    belongs to them.
    """
    if _tracer is None:
        yield
        return
    began, spans = time.time_ns(), []
    for record in records:
        if (parent := _context((record.headers.get(HEADER) or b"").decode(errors="replace"))) is not None:
            span = _tracer.start_span(
                f"{stage} process", parent, SpanKind.CONSUMER, _attributes(record), start_time=began
            )
            record.headers[HEADER] = _traceparent(trace.set_span_in_context(span)).encode()
            spans.append(span)
    try:
        yield
    finally:
        for span in spans:
            span.end()


def _attributes(record: Record) -> dict[str, str | int]:
    """By OpenTelemetry's conventions for messaging."""
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": record.topic,
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
    }


def _context(traceparent: str | None) -> Context | None:
    context = _W3C.extract({HEADER: traceparent or ""}, Context())
    return context if trace.get_current_span(context).get_span_context().is_valid else None


def _traceparent(context: Context) -> str:
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, context)
    return carrier[HEADER]
