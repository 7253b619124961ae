"""The way of one request through the stand-in: latency, fault, limits, token, permission, handler, log.

Beside `server.py`, `web.py` and `control.py` the only module that knows Flask.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flask import Response, request

from bot.sandbox.github.access import identify, require
from bot.sandbox.github.call import ApiError, Call, Reply, Route
from bot.sandbox.github.faults import MESSAGES, Fault, FaultBook, Kind, When
from bot.sandbox.github.headers import common_headers, rate_headers
from bot.sandbox.github.listener import SOCKET
from bot.sandbox.github.rates import RateBook, Refused
from bot.sandbox.github.records import Json, Principal
from bot.sandbox.github.seen import RequestLog, Seen
from bot.sandbox.github.shapes import Urls

if TYPE_CHECKING:
    from bot.sandbox.github.webhooks import Webhooks
    from bot.sandbox.github.world import World

_SECRET_HEADERS = {"authorization", "cookie"}
_ANONYMOUS = Principal(kind="anonymous")
_DOCS = "https://docs.github.com/rest"


@dataclass(slots=True, kw_only=True)
class Site:
    """A running stand-in: the state and everything that stands before it."""

    world: World
    urls: Urls
    log: RequestLog
    faults: FaultBook
    rates: RateBook
    webhooks: Webhooks
    stopping: threading.Event = field(default_factory=threading.Event)
    latency: float = 0.0


class CutError(Exception):
    """The connection is to be closed without an answer. Raised towards the server, never seen by a handler."""


@dataclass(slots=True, kw_only=True)
class _Answer:
    status: int = 0
    payload: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def serve(site: Site, route: Route | None, template: str, path: str, args: Mapping[str, str | int]) -> Response:
    """Handle the current Flask request as one API call. Raises CutError."""
    started = time.monotonic()
    body = request.get_data()
    if site.latency > 0:
        site.stopping.wait(site.latency)
    fault = site.faults.take(request.method, path, body)
    answer = _Answer()
    try:
        answer = _with_fault(site, fault, route, path, args, body)
    finally:
        site.log.add(
            Seen(
                method=request.method,
                path=path,
                route=template,
                query=dict(request.args),
                headers={name: value for name, value in request.headers if name.lower() not in _SECRET_HEADERS},
                body=body,
                status=answer.status,
                answer=answer.payload,
                answer_headers=answer.headers,
                started=started,
                seconds=time.monotonic() - started,
                fault=fault is not None,
            )
        )
    if fault is not None and fault.kind == Kind.CUT_BODY:
        headers = answer.headers | {"Content-Length": str(len(answer.payload))}
        return Response(_half(answer.payload, connection()), status=answer.status, headers=headers)
    response = Response(answer.payload, status=answer.status, headers=answer.headers)
    if answer.status in {204, 304}:
        response.headers.pop("Content-Type", None)
    return response


def _with_fault(
    site: Site, fault: Fault | None, route: Route | None, path: str, args: Mapping[str, str | int], body: bytes
) -> _Answer:
    if fault is None:
        return _answer(site, route, path, args, body, None)
    if fault.when == When.BEFORE:
        _break(site, fault)
        early = fault if fault.kind in {Kind.STATUS, Kind.FIELDS} else None
        return _answer(site, route, path, args, body, early)
    answer = _answer(site, route, path, args, body, None)
    _break(site, fault)
    return _error(_fault_error(fault), "", answer.headers) if fault.kind == Kind.STATUS else answer


def _break(site: Site, fault: Fault) -> None:
    if fault.kind == Kind.STALL:
        site.stopping.wait(fault.seconds)
        raise CutError
    if fault.kind == Kind.CUT:
        raise CutError


def _half(payload: bytes, client: socket.socket) -> Iterator[bytes]:
    yield payload[: len(payload) // 2]
    hang_up(client)
    raise ConnectionResetError("a fault cut the answer")


def connection() -> socket.socket:
    """The socket of the current request."""
    raw = request.environ[SOCKET]
    assert isinstance(raw, socket.socket)
    return raw


def hang_up(client: socket.socket) -> None:
    """Shut a client's connection, as a failing network would."""
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)


def _answer(
    site: Site, route: Route | None, path: str, args: Mapping[str, str | int], body: bytes, early: Fault | None
) -> _Answer:
    headers = common_headers(request.headers.get("X-GitHub-Api-Version"))
    docs = f"{_DOCS}/{route.docs}" if route is not None and route.docs else _DOCS
    resource = "graphql" if path == "/graphql" else "core"
    try:
        who = identify(site.world, request.headers.get("Authorization"))
    except ApiError as error:
        return _error(error, docs, headers | rate_headers(site.rates.window(_ANONYMOUS.key)))
    counted = path != "/rate_limit" and who.kind != "app"
    refused = _count(site, who, route, resource, body) if counted else None
    if who.kind != "app":
        headers |= rate_headers(site.rates.window(who.key, resource), resource)
    try:
        if refused is not None:
            return _error(_limit_error(refused), docs, headers)
        if early is not None and early.kind == Kind.STATUS:
            return _error(_fault_error(early), docs, headers)
        if route is None:
            return _error(ApiError(404, "Not Found"), docs, headers)
        answer = _good(route, _run(site, route, who, path, args, body, docs, early), headers)
    except ApiError as error:
        return _error(error, docs, headers)
    else:
        if counted and answer.status == 304:
            # Free of the hourly limit (docs: best practices).
            answer.headers |= rate_headers(site.rates.refund(who.key, resource), resource)
        return answer
    finally:
        if counted:
            site.rates.end(who.key)


def _count(site: Site, who: Principal, route: Route | None, resource: str, body: bytes) -> Refused | None:
    mutation = resource == "graphql" and b"mutation" in body
    creates = route is not None and (route.creates or mutation)
    points = None if resource == "core" else 5 if mutation else 1
    return site.rates.begin(who.key, method=request.method, resource=resource, creates=creates, points=points)


def _good(route: Route, reply: Reply, headers: dict[str, str]) -> _Answer:
    payload = reply.encoded()
    headers["Cache-Control"] = "private, max-age=60, s-maxage=60"
    if reply.status == 200 and request.method == "GET":
        headers["ETag"] = f'W/"{hashlib.sha256(payload).hexdigest()}"'
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return _Answer(status=304, headers=headers)
    if not route.needs.startswith(("jwt", "user")):
        headers["X-Accepted-GitHub-Permissions"] = "; ".join(route.needs.replace(":", "=").split("|"))
    return _Answer(
        status=reply.status, payload=payload, headers=headers | {"Content-Type": reply.media} | reply.headers
    )


def _run(
    site: Site,
    route: Route,
    who: Principal,
    path: str,
    args: Mapping[str, str | int],
    body: bytes,
    docs: str,
    broken: Fault | None,
) -> Reply:
    world = site.world
    if "owner" in args:
        found = world.repos.get(f"{args['owner']}/{args['name']}".lower())
        if found is None:
            raise ApiError(404, "Not Found")
        require(world, who, found, route.needs)
    else:
        require(world, who, None, route.needs)
    call = Call(
        world=world,
        urls=site.urls,
        who=who,
        rates=site.rates,
        webhooks=site.webhooks,
        method=request.method,
        path=path,
        args=args,
        query=dict(request.args),
        body=_parsed(body),
        accept=request.headers.get("Accept", ""),
        docs=docs,
        broken=broken,
    )
    with world.lock:
        return route.run(call)


def _parsed(body: bytes) -> Json:
    if not body.strip():
        return None
    try:
        return json.loads(body)
    except ValueError as error:
        raise ApiError(400, "Problems parsing JSON") from error


def _limit_error(refused: Refused) -> ApiError:
    headers = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
    return ApiError(403, refused.message, headers=headers)


def _fault_error(fault: Fault) -> ApiError:
    return ApiError(
        fault.status,
        fault.message or MESSAGES.get(fault.status, "Server Error"),
        errors=list(fault.errors) or None,
        headers=fault.headers,
    )


def _error(error: ApiError, docs: str, headers: dict[str, str]) -> _Answer:
    if error.status in {500, 502, 503}:
        # GitHub's proxies answer these with a page, not with JSON.
        page = f"<html><head><title>{error.status}</title></head><body><h1>{error.message}</h1></body></html>"
        media = {"Content-Type": "text/html; charset=utf-8"}
        return _Answer(status=error.status, payload=page.encode(), headers=headers | media | error.headers)
    data: dict[str, Json] = {"message": error.message}
    if error.errors is not None:
        data["errors"] = list(error.errors)
    data |= {"documentation_url": docs or _DOCS, "status": str(error.status)} | error.extra
    return _Answer(status=error.status, payload=json.dumps(data).encode(), headers=headers | error.headers)
