"""`POST /webhook`: HTTP bytes become a delivery that is stored, or an answer that says why not.

The order of the checks is the contract: method, size, signature over the raw bytes, and only then anything that looks at
what was sent. Does no work of a review, waits for nobody but the database, and never answers 500: what fails here is told
as 503, so that GitHub shows a failed delivery which can be sent again.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from flask import Blueprint, Request, Response, request
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.exceptions import ClientDisconnected
from werkzeug.routing import Rule

from bot import log
from bot.engine.model import Acceptance, AlreadyKnown, Delivery, QueueFull, Taken
from bot.errors import ConfigError
from bot.hooks.decide import Rules, decide
from bot.hooks.events import DeliveryId, InstallationId, Other, event_name
from bot.hooks.orders import Nothing, Order, StopInstallation, StopPull, Work
from bot.hooks.read import MalformedDeliveryError, read_event
from bot.hooks.signature import verify
from bot.review.model import RepoName

MOST_BYTES: Final = 25 * 1024 * 1024
"""GitHub delivers nothing above 25 MB (docs: webhook events and payloads)."""
LARGE_BYTES: Final = 1024 * 1024
"""Nearly every delivery is below 100 KB. Larger ones take turns, so that strangers cannot fill the memory with them."""
_LARGE_AT_ONCE: Final = 4
_LARGE_WAIT: Final = 5.0
"""Seconds; GitHub gives up after 10."""
_CLOSED_RETRY: Final = 10
_FAILED_RETRY: Final = 30
_NOBODY: Final = "unknown"
"""The event in metrics where it may be invented: a stranger must not make up as many names as he likes."""

_EVENT: Final = re.compile(r"[a-z0-9_]{1,50}")
_DELIVERY: Final = re.compile(r"[0-9A-Za-z-]{8,64}")
_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})


class Outcome(StrEnum):
    """What became of a delivery, for the metrics."""

    TAKEN = "taken"
    KNOWN = "known"
    IGNORED = "ignored"
    FULL = "full"
    """Not now: the queue is full, the server is starting or stopping, too many large bodies at once."""
    UNSIGNED = "unsigned"
    MALFORMED = "malformed"
    WRONG_TYPE = "wrong-type"
    TOO_LARGE = "too-large"
    FAILED = "failed"


class Intake(Protocol):
    """What the door needs of the engine. May raise whatever a database raises."""

    def accept(self, delivery: Delivery, work: Work) -> Acceptance:
        """Store the delivery with its job, durably, before it returns."""
        ...

    def note(self, delivery: Delivery, answer: str) -> AlreadyKnown | None:
        """Store a delivery that needs no job; tells when it is known already."""
        ...

    def stop_pull(self, repo: RepoName, number: int, why: str) -> int:
        """End what runs or waits for a pull. Returns how many jobs that were."""
        ...

    def stop_installation(self, installation: InstallationId, repos: tuple[RepoName, ...], why: str) -> int:
        """End what runs or waits for repositories of an installation (none named: for all of them)."""
        ...

    def reviews_drafts(self, repo: RepoName) -> bool:
        """Whether drafts are reviewed there, as far as is known. Must be quick."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    outcome: Outcome | None
    """None is not counted: no delivery at all."""
    body: Mapping[str, str | int | None]
    event: str = _NOBODY
    delivery: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def delivery_id(asked: Request) -> str | None:
    """The id that GitHub gave a delivery; None when there is none, or what stands there is none."""
    given = asked.headers.get("X-GitHub-Delivery", "")
    return given if _DELIVERY.fullmatch(given) else None


def blueprint(
    *,
    intake: Intake,
    secrets: Sequence[str],
    rules: Callable[[], Rules],
    seen: Callable[[str, str], None],
    is_open: Callable[[], bool],
    clock: Callable[[], float] = time.time,
    patience: float = 10.0,
) -> Blueprint:
    """The route `/webhook`. `seen(event, outcome)` counts every delivery; while `is_open` says no, the answer is 503.

    A sender who is silent for `patience` seconds in the middle of a body is given up (where the door sees the socket). One
    who sends a byte now and then is the worker's affair.

    Raises ConfigError unless there are one or two secrets.
    """
    if not 1 <= len(secrets) <= 2 or not all(secrets):
        raise ConfigError(
            "The webhook has no secret" if not any(secrets) else "The webhook takes one secret, or two while rotating",
            remedy="Set SPARK_WEBHOOK_SECRET to the secret of the GitHub App; two are separated by a comma",
        )
    door = _Door(
        intake=intake,
        secrets=tuple(secrets),
        rules=rules,
        seen=seen,
        is_open=is_open,
        clock=clock,
        patience=patience,
    )
    made = Blueprint("door", __name__)

    def routes(state: BlueprintSetupState) -> None:
        # A rule of werkzeug's own, because Flask's are made for a list of methods and answer others with a page.
        state.app.url_map.add(Rule("/webhook", endpoint="door.webhook", strict_slashes=False))
        state.app.view_functions["door.webhook"] = lambda: door.answer(request)

    made.record(routes)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    intake: Intake
    secrets: tuple[str, ...]
    rules: Callable[[], Rules]
    seen: Callable[[str, str], None]
    is_open: Callable[[], bool]
    clock: Callable[[], float]
    patience: float
    large: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(_LARGE_AT_ONCE))

    def answer(self, asked: Request) -> Response:
        delivery = delivery_id(asked)
        try:
            answer = self._decide(asked, delivery)
        except Exception as exc:  # noqa: BLE001 - the outermost frame of a delivery: a 500 here would lose it without a word
            log.error("delivery.failed", exc=exc, delivery=delivery, status=503)
            reason = "The server could not store this; its log has the reason"
            answer = _not_now(Outcome.FAILED, reason, _FAILED_RETRY)
        if answer.outcome is not None:
            self.seen(answer.event, answer.outcome.value)
        # What failed was told with its trace already.
        if answer.outcome not in {None, Outcome.FAILED}:
            note = log.warning if answer.status >= 400 else log.info
            note(
                f"delivery.{answer.outcome}",
                delivery=delivery,
                event=answer.event,
                status=answer.status,
                **{key: value for key, value in answer.body.items() if key in {"job", "reason", "error"}},
            )
        body = json.dumps({"delivery": delivery, **answer.body}) + "\n"
        return Response(body, answer.status, headers=answer.headers, mimetype="application/json")

    def _decide(self, asked: Request, delivery: str | None) -> _Answer:
        if asked.method != "POST":
            told = "This address takes GitHub's webhooks, by POST"
            return _Answer(status=405, outcome=None, body={"error": told}, headers={"Allow": "POST"})
        received_at = self.clock()
        declared = asked.content_length
        if declared is not None and declared > MOST_BYTES:
            return _too_large()
        if declared is not None and declared <= LARGE_BYTES:
            return self._read(asked, delivery, received_at)
        if not self.large.acquire(timeout=_LARGE_WAIT):
            return _not_now(Outcome.FULL, "Too many large deliveries at once", _CLOSED_RETRY)
        try:
            return self._read(asked, delivery, received_at)
        finally:
            self.large.release()

    def _read(self, asked: Request, delivery: str | None, received_at: float) -> _Answer:
        try:
            body = self._body(asked)
        except ClientDisconnected:
            return _cut_short()
        if len(body) > MOST_BYTES:
            return _too_large()
        if asked.content_length is not None and len(body) < asked.content_length:
            return _cut_short()
        refused = self._unsigned(asked, body) or _odd_headers(asked, delivery)
        if refused is not None:
            return refused
        return self._signed(asked.headers["X-GitHub-Event"], body, DeliveryId(delivery or ""), received_at)

    def _body(self, asked: Request) -> bytes:
        # One byte more, because werkzeug cuts a body of unknown length at the limit without saying so.
        asked.max_content_length = MOST_BYTES + 1
        # gunicorn waits without end for a body that does not come, and a thread with it.
        sock = asked.environ.get("gunicorn.socket")
        if sock is None:
            return asked.get_data(cache=False)
        before = sock.gettimeout()
        sock.settimeout(self.patience)
        try:
            return asked.get_data(cache=False)
        finally:
            sock.settimeout(before)

    def _unsigned(self, asked: Request, body: bytes) -> _Answer | None:
        header = asked.headers.get("X-Hub-Signature-256")
        if verify(body, header, self.secrets):
            return None
        told = (
            "X-Hub-Signature-256 is missing. Set a webhook secret in the GitHub App, the same as SPARK_WEBHOOK_SECRET"
            if header is None
            else "The signature is wrong. The webhook secret of the GitHub App and SPARK_WEBHOOK_SECRET must be the same"
        )
        return _Answer(status=401, outcome=Outcome.UNSIGNED, body={"error": told})

    def _signed(self, named: str, body: bytes, delivery: DeliveryId, received_at: float) -> _Answer:
        try:
            event = read_event(named, body)
        except MalformedDeliveryError as exc:
            return _malformed(str(exc))
        name = event_name(event)
        shown = "other" if isinstance(event, Other) and not event.why else name
        if not self.is_open():
            told = "The server is starting or stopping"
            return _not_now(Outcome.FULL, told, _CLOSED_RETRY, event=shown)
        order = decide(event, self.rules(), reviews_drafts=self.intake.reviews_drafts)
        return self._carry_out(order, Delivery(id=delivery, event=name, received_at=received_at), shown)

    def _carry_out(self, order: Order, delivery: Delivery, event: str) -> _Answer:
        if not isinstance(order, Nothing | StopPull | StopInstallation):
            return _accepted(self.intake.accept(delivery, order), event)
        why = order.reason if isinstance(order, Nothing) else order.why
        # Noted first: an old `closed` that is sent once more must not stop what began after it.
        known = self.intake.note(delivery, why)
        if known is not None:
            return _accepted(known, event)
        told: dict[str, str | int | None] = {"reason": why}
        if isinstance(order, StopPull):
            told["stopped"] = self.intake.stop_pull(order.place.repo, order.number, why)
        elif isinstance(order, StopInstallation):
            told["stopped"] = self.intake.stop_installation(order.installation, order.repos, why)
        return _Answer(status=200, outcome=Outcome.IGNORED, body=told, event=event)


def _odd_headers(asked: Request, delivery: str | None) -> _Answer | None:
    if asked.mimetype != "application/json":
        told = "The content type must be application/json"
        if asked.mimetype == "application/x-www-form-urlencoded":
            told += (
                ": choose it in the webhook's settings on GitHub, where application/x-www-form-urlencoded is set now"
            )
        return _Answer(status=415, outcome=Outcome.WRONG_TYPE, body={"error": told})
    if asked.mimetype_params.get("charset", "utf-8").lower() not in _CHARSETS:
        return _Answer(status=415, outcome=Outcome.WRONG_TYPE, body={"error": "The charset must be utf-8"})
    event = asked.headers.get("X-GitHub-Event")
    if event is None or not _EVENT.fullmatch(event):
        return _malformed(f"The header X-GitHub-Event {'is missing' if event is None else 'names no event'}")
    if delivery is None:
        missing = "X-GitHub-Delivery" not in asked.headers
        return _malformed(f"The header X-GitHub-Delivery {'is missing' if missing else 'is no delivery id'}")
    return None


def _accepted(acceptance: Acceptance, event: str) -> _Answer:
    match acceptance:
        case Taken():
            return _Answer(status=202, outcome=Outcome.TAKEN, body={"job": acceptance.job}, event=event)
        case AlreadyKnown():
            body = {"job": acceptance.job, "state": acceptance.state, "reason": acceptance.why}
            return _Answer(status=200, outcome=Outcome.KNOWN, body=body, event=event)
        case QueueFull():
            told = "The queue is full"
            return _not_now(Outcome.FULL, told, acceptance.retry_after, event=event)


def _not_now(outcome: Outcome, told: str, retry_after: int, *, event: str = _NOBODY) -> _Answer:
    headers = {"Retry-After": str(retry_after)}
    return _Answer(status=503, outcome=outcome, body={"error": told}, event=event, headers=headers)


def _malformed(told: str) -> _Answer:
    return _Answer(status=400, outcome=Outcome.MALFORMED, body={"error": told})


def _cut_short() -> _Answer:
    return _malformed("The body ended early, or its chunks are malformed")


def _too_large() -> _Answer:
    return _Answer(status=413, outcome=Outcome.TOO_LARGE, body={"error": "The body is over 25 MB"})
