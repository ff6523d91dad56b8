"""Streaming responses are made after the middlewares have returned: their chunks take the request's context along."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import cast

from django.http import FileResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from audittrail.capture.acting import Source, acting

_END = object()


def keep_context(response: HttpResponseBase, source: Source) -> None:
    """What a streaming response changes while it is sent belongs to `source`.  A file changes nothing, and is left to
    the server.
    """
    if not isinstance(response, StreamingHttpResponse) or isinstance(response, FileResponse):
        return
    if response.is_async:
        response.streaming_content = _in_context_async(cast(AsyncIterable[bytes], response.streaming_content), source)
    else:
        response.streaming_content = _in_context(cast(Iterable[bytes], response.streaming_content), source)


def _in_context(chunks: Iterable[bytes], source: Source) -> Iterator[bytes]:
    iterator = iter(chunks)
    while (chunk := _within(source, lambda: next(iterator, _END))) is not _END:
        yield cast(bytes, chunk)


async def _in_context_async(chunks: AsyncIterable[bytes], source: Source) -> AsyncIterator[bytes]:
    iterator = aiter(chunks)
    while True:
        with acting(source):
            chunk = await anext(iterator, _END)
        if chunk is _END:
            return
        yield cast(bytes, chunk)


def _within(source: Source, call: Callable[[], object]) -> object:
    with acting(source):
        return call()
