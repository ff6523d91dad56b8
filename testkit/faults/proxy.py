"""TCP proxies before the services, for all that can go wrong on the way: cut, held, delayed, and single replies that
get lost.

A proxy before Kafka knows frames: it can swallow the reply to, say, EndTxn, so that the broker has done what the client
never hears.
"""

import asyncio
import contextlib
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future

API_KEYS = {
    "Produce": 0,
    "OffsetCommit": 8,
    "InitProducerId": 22,
    "AddOffsetsToTxn": 25,
    "EndTxn": 26,
    "TxnOffsetCommit": 28,
}
"""Kafka's requests whose replies can be swallowed."""

_SIZE, _REQUEST, _CORRELATION = struct.Struct(">i"), struct.Struct(">hhi"), struct.Struct(">i")
_CHUNK = 65_536


class Proxy:
    """One port before one service. What it does to the traffic may be changed at any time, from any thread."""

    def __init__(self, name: str, target: tuple[str, int], port: int = 0, frames: bool = False):
        self.name, self.target, self.port = name, target, port
        self.delay = 0.0
        """Seconds by which each piece is delayed, either way."""
        self.held = False
        """Nothing passes; connections stay."""
        self.shut = False
        """Nobody can connect."""
        self.swallowed: set[int] = set()
        """Keys of the Kafka requests whose replies get lost."""
        self.cutting = False
        """A lost reply takes its connection along."""
        self.lost: Counter[int] = Counter()
        """Replies lost so far, by key of the request."""
        self._frames = frames
        self._writers: set[asyncio.StreamWriter] = set()

    async def listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=2 * _CHUNK)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def hang_up(self) -> None:
        """End all connections. For the thread of the proxies."""
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        try:
            if self.shut:
                raise ConnectionRefusedError
            far_reader, far = await asyncio.open_connection(*self.target)
        except OSError:
            near.transport.abort()
            return
        asked: dict[int, int] = {}
        ends = {near, far}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(near_reader, far, lambda frame: self._note(frame, asked)))
                tasks.create_task(self._pump(far_reader, near, lambda frame: self._is_to_pass(frame, asked)))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers -= ends
            for writer in ends:
                writer.transport.abort()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, passes: Callable[[bytes], bool]
    ) -> None:
        while True:
            piece = await (_frame(source) if self._frames else _piece(source))
            if self._frames and not passes(piece):
                if self.cutting:
                    raise ConnectionResetError
                continue
            if self.delay:
                await asyncio.sleep(self.delay)
            while self.held:
                await asyncio.sleep(0.05)
            sink.write(piece)
            await sink.drain()

    def _note(self, frame: bytes, asked: dict[int, int]) -> bool:
        key, _, correlation = _REQUEST.unpack_from(frame, _SIZE.size)
        if key in API_KEYS.values():
            asked[correlation] = key
        return True

    def _is_to_pass(self, frame: bytes, asked: dict[int, int]) -> bool:
        key = asked.pop(_CORRELATION.unpack_from(frame, _SIZE.size)[0], None)
        if key not in self.swallowed:
            return True
        self.lost[key] += 1
        return False


async def _frame(source: asyncio.StreamReader) -> bytes:
    size = await source.readexactly(_SIZE.size)
    return size + await source.readexactly(_SIZE.unpack(size)[0])


async def _piece(source: asyncio.StreamReader) -> bytes:
    if piece := await source.read(_CHUNK):
        return piece
    raise ConnectionResetError


class Proxies:
    """All proxies of a run, in a thread of their own, for as long as the block runs."""

    def __init__(self, proxies: list[Proxy]):
        self._proxies = proxies
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> "Proxies":
        threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True).start()
        self._servers = [self._run(proxy.listen()).result(10) for proxy in self._proxies]
        return self

    def __exit__(self, *_) -> None:
        self._run(self._close()).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def hang_up(self, proxy: Proxy) -> None:
        """End all connections of a proxy."""
        self._loop.call_soon_threadsafe(proxy.hang_up)

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for proxy in self._proxies:
            proxy.hang_up()
        if ending := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(ending, timeout=5)

    def _run(self, coroutine) -> Future:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)


@contextlib.contextmanager
def changed(proxy: Proxy, **values) -> Iterator[None]:
    """A proxy with other settings for as long as the block runs."""
    before = {name: getattr(proxy, name) for name in values}
    for name, value in values.items():
        setattr(proxy, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(proxy, name, value)
