"""Webhooks: what happens is told to the configured receiver, signed, in the background; every delivery is logged.

As GitHub does it: no order is promised, nothing is tried again by itself, a redelivery keeps its GUID. Payloads are
rendered when the thing happens (`payloads.py`), so a late delivery tells the old state.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import queue
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.sandbox.github.happening import Happening
from bot.sandbox.github.payloads import payload_of, ping_of
from bot.sandbox.github.records import App, CheckRun, CheckSuite, Hook, Installation, Json
from bot.sandbox.github.shapes import Urls

if TYPE_CHECKING:
    from bot.sandbox.github.world import World

_HOOK_ID = 372_880_020
_MOST_BYTES = 25 * 1024 * 1024
"""No delivery above this (docs: webhook events and payloads)."""


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One attempt to tell the receiver something."""

    id: int
    guid: str
    event: str
    action: str | None
    payload: dict[str, Json]
    raw: bytes
    url: str
    headers: Mapping[str, str]
    installation_id: int | None
    repository_id: int | None
    redelivery: bool
    app: int | None = None
    """The App whose own webhook this is; None for the stand-in's one address."""
    delivered_at: str = ""
    duration: float = 0.0
    status: str = "pending"
    status_code: int = 0
    answer: bytes = b""
    answer_headers: dict[str, str] = field(default_factory=dict)


def sign(secret: str, raw: bytes) -> str:
    """The value of `X-Hub-Signature-256`."""
    return "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def wants(app: App, happening: Happening) -> bool:
    """Whether an App is told of this: what it subscribed to, and what comes by itself (docs: webhook events)."""
    if happening.event in {"installation", "installation_repositories"}:
        return True
    asked = {"rerequested", "requested_action", "requested"}
    if happening.event in {"check_run", "check_suite"} and happening.action in asked:
        subject = happening.subjects.get("run") or happening.subjects.get("suite")
        suite = subject.suite if isinstance(subject, CheckRun) else subject
        return isinstance(suite, CheckSuite) and suite.app is app and app.permissions.get("checks") == "write"
    return happening.event in app.events


class Webhooks:
    """The deliveries of one stand-in. `url` None tells nobody; `active` limits the events (None: all)."""

    def __init__(self, world: World, urls: Urls) -> None:
        options = world.options
        self.url = options.webhook_url
        self.secret = options.webhook_secret
        self.active: frozenset[str] | None = None
        self._world = world
        self._urls = urls
        self._queue: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._idle = threading.Condition()
        self._waiting = 0
        self.deliveries: list[Delivery] = []
        self._threads = [
            threading.Thread(target=self._work, name=f"webhooks-{at}", daemon=True)
            for at in range(options.webhook_workers)
        ]
        for thread in self._threads:
            thread.start()
        world.listeners.append(self.tell)

    def point_to(self, url: str | None, secret: str = "") -> None:
        """Deliver to `url` from now on, signed with `secret`."""
        self.url, self.secret = url, secret

    def tell(self, happening: Happening) -> None:
        """Deliver what happened to whoever listens. Called under the world's lock."""
        apps = list(self._world.apps.values())
        if self.url is not None and (self.active is None or happening.event in self.active):
            self._tell(happening, next((app for app in apps if app.public_key), None), None)
        for app in apps:
            if app.hook is not None and app.hook.active and wants(app, happening):
                self._tell(happening, app, app.hook)

    def _tell(self, happening: Happening, app: App | None, hook: Hook | None) -> None:
        installation = self._installation(happening, app)
        is_account = happening.repo is None
        if installation is None and (hook is not None or is_account):
            return
        if installation is not None and installation.suspended_at is not None and not is_account:
            # A suspended App is told of nothing else.
            return
        self.send(
            happening.event,
            payload_of(self._urls, happening, installation),
            app=app,
            installation_id=installation.id if installation else None,
            repository_id=happening.repo.id if happening.repo is not None else None,
            hook=hook,
        )

    def _installation(self, happening: Happening, app: App | None) -> Installation | None:
        if happening.repo is not None:
            return self._world.installation_of(app, happening.repo) if app is not None else None
        found = happening.subjects.get("installation")
        return found if isinstance(found, Installation) and found.app is app else None

    def ping(self, app: App) -> None:
        """Greet the webhook of a new App."""
        if app.hook is not None and app.hook.active:
            self.send("ping", ping_of(self._urls, app, app.hook), app=app, hook=app.hook)

    def send(
        self,
        event: str,
        payload: dict[str, Json],
        *,
        app: App | None = None,
        installation_id: int | None = None,
        repository_id: int | None = None,
        hook: Hook | None = None,
    ) -> Delivery | None:
        """Deliver a payload of one's own making. None above 25 MB, as GitHub drops those."""
        raw = json.dumps(payload, separators=(",", ":")).encode()
        if len(raw) > _MOST_BYTES:
            return None
        guid = str(uuid.uuid4())
        secret = self.secret if hook is None else hook.secret
        delivery = Delivery(
            id=self._world.next_id(),
            guid=guid,
            event=event,
            action=payload.get("action"),
            payload=payload,
            raw=raw,
            url=str(self.url) if hook is None else hook.url,
            headers=self._headers(event, guid, raw, app, repository_id, secret),
            installation_id=installation_id,
            repository_id=repository_id,
            redelivery=False,
            app=app.id if app is not None and hook is not None else None,
        )
        self._put(delivery)
        return delivery

    def redeliver(self, old: Delivery) -> Delivery:
        """Try again with the same GUID, body and headers, as GitHub's "redeliver" does."""
        again = Delivery(
            id=self._world.next_id(),
            guid=old.guid,
            event=old.event,
            action=old.action,
            payload=old.payload,
            raw=old.raw,
            url=self._address(old),
            headers=old.headers,
            installation_id=old.installation_id,
            repository_id=old.repository_id,
            redelivery=True,
            app=old.app,
        )
        self._put(again)
        return again

    def _address(self, old: Delivery) -> str:
        hook = self._world.apps[old.app].hook if old.app is not None else None
        return hook.url if hook is not None else str(self.url)

    def wait(self, seconds: float = 10.0) -> bool:
        """Wait until every delivery so far has been answered; False when the time is over first."""
        with self._idle:
            return self._idle.wait_for(lambda: self._waiting == 0, timeout=seconds)

    def stop(self) -> None:
        """End the workers after the deliveries they are at."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(timeout=5)

    def _headers(
        self, event: str, guid: str, raw: bytes, app: App | None, repository_id: int | None, secret: str
    ) -> dict[str, str]:
        headers = {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/0a1b2c3",
            "X-GitHub-Delivery": guid,
            "X-GitHub-Event": event,
            "X-GitHub-Hook-ID": str(_HOOK_ID),
            "X-GitHub-Hook-Installation-Target-ID": str(app.id if app else repository_id or 0),
            "X-GitHub-Hook-Installation-Target-Type": "integration" if app else "repository",
        }
        if secret:
            sha1 = hmac.new(secret.encode(), raw, "sha1").hexdigest()
            headers |= {"X-Hub-Signature": f"sha1={sha1}", "X-Hub-Signature-256": sign(secret, raw)}
        return headers

    def _put(self, delivery: Delivery) -> None:
        with self._idle:
            self._waiting += 1
            self.deliveries.append(delivery)
        self._queue.put(delivery)

    def _work(self) -> None:
        while (delivery := self._queue.get()) is not None:
            self._deliver(delivery)
            with self._idle:
                self._waiting -= 1
                self._idle.notify_all()

    def _deliver(self, delivery: Delivery) -> None:
        parts = urlsplit(delivery.url)
        started = time.monotonic()
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=self._world.options.webhook_timeout
        )
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body=delivery.raw, headers=dict(delivery.headers))
            answer = connection.getresponse()
            delivery.answer, delivery.answer_headers = answer.read(), dict(answer.getheaders())
            delivery.status_code = answer.status
            good = 200 <= answer.status < 300
            delivery.status = "OK" if good else f"Invalid HTTP Response: {answer.status}"
        except TimeoutError:
            delivery.status = "timed out"
        except (OSError, http.client.HTTPException):
            delivery.status = "failed to connect to host"
        finally:
            connection.close()
            delivery.duration = round(time.monotonic() - started, 2)
            delivery.delivered_at = self._world.now()
