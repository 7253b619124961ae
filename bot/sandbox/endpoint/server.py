"""The endpoint on 127.0.0.1: one asyncio loop in a thread of its own, one ticker for all streams.

A stream's tokens are due at absolute times, so that a late beat is made up by the next and the rate does not drift.
It listens on loopback alone and is meant for trusted clients: it has no limits of its own against abuse.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from types import TracebackType

from bot.sandbox.endpoint.connection import Connection, House
from bot.sandbox.endpoint.log import Log, Logged
from bot.sandbox.endpoint.options import EndpointOptions
from bot.sandbox.endpoint.service import Service
from bot.sandbox.endpoint.ticker import Queue, Ticker


class EndpointServer:
    """An OpenAI-compatible endpoint on loopback, from its construction to `close()`. OSError when the port is taken."""

    def __init__(self, options: EndpointOptions | None = None) -> None:
        self.options = options or EndpointOptions()
        self._log = Log()
        self._listener = socket.create_server(("127.0.0.1", self.options.port), backlog=1024)
        self._port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Transport] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spark-sandbox-endpoint", daemon=True)
        self._thread.start()
        self._ready.wait()

    @property
    def url(self) -> str:
        """The base URL that a client is given, ending in `/v1`."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def requests(self) -> tuple[Logged, ...]:
        """Every request so far, in the order of arrival. Entries still change while their answer goes on."""
        with self._log.changed:
            return tuple(self._log.entries)

    def wait_until(self, condition: Callable[[Sequence[Logged]], bool], *, timeout: float = 5.0) -> bool:
        """Wait until `condition` holds for the log; False when it does not within `timeout` seconds."""
        with self._log.changed:
            return self._log.changed.wait_for(lambda: condition(self._log.entries), timeout)

    def close(self) -> None:
        """Close every connection and end the thread. Safe to call twice."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def __enter__(self) -> EndpointServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        loop = self._loop
        house = House(
            service=Service(self.options),
            ticker=Ticker(loop, self.options.tick),
            queue=Queue(loop),
            log=self._log,
            loop=loop,
            connections=self._connections,
        )
        server = loop.run_until_complete(loop.create_server(lambda: Connection(house), sock=self._listener))
        self._ready.set()
        loop.run_forever()
        server.close()
        for transport in tuple(self._connections):
            transport.abort()
        # One more round, in which the aborted connections are told and their sockets closed.
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
