"""Who may see the pages, the live streams and the metrics; `/signin` and `/signout`.

With a page token set, whoever has it: machines send it as a Bearer token, people sign in with it and get a session. With
none, whoever sits at this machine, if the server is meant for it alone. Refuses a token in an address (addresses are
logged), a sign-in that another site sends, and guessing. Keeps nothing: a session is a signed cookie, good in every process
that has the same token, and a new token ends all of them. Decides nothing about `/webhook`, which has its signature.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Final
from urllib.parse import quote, urlencode

from flask import Blueprint, Request, Response, request
from itsdangerous import BadSignature, TimestampSigner

from bot import log
from bot.html import form_pages, signin_page
from bot.server.asker import is_browser, is_foreign, is_local, own_path

COOKIE: Final = "spark_session"
SESSION_DAYS: Final = 30
MOST_WRONG: Final = 10
"""Wrong tokens in a window, from all addresses together; people and machines are counted apart."""
WINDOW: Final = 60.0
"""Seconds."""
UNGUESSABLE: Final = 32
"""Bytes of a token that nobody finds by trying: for these the guesses of strangers shut out nobody who has it."""
_MOST_FORM: Final = 8 * 1024
"""Bytes of a form."""
_SIGNED_IN: Final = b"signed in"
_CLOSED: Final = (
    "The pages of this server are closed: SPARK_PAGE_TOKEN is not set. Set it in the server's settings, start the server "
    "again, and sign in with it."
)
_UNKNOWN: Final = "This needs the page token: send it as Authorization: Bearer TOKEN, or sign in at /signin."
_WRONG: Final = "This is not the page token of this server: SPARK_PAGE_TOKEN in its settings has it."


class _Standing(StrEnum):
    IN = "in"
    UNKNOWN = "unknown"
    WRONG = "wrong"
    TOO_MANY = "too many"
    CLOSED = "closed"


class Access:
    """One for a server. `secret_key` must be the same in all its processes; it signs the sessions together with the token."""

    def __init__(
        self,
        *,
        page_token: str | None,
        secret_key: bytes,
        bound_to_loopback: bool,
        secure: bool = False,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`bound_to_loopback`: nothing but this machine can reach the server. `secure`: people reach it by https alone."""
        token = (page_token or "").strip()
        self._token = token.encode() if token else None
        self._bound_to_loopback = bound_to_loopback
        self._secure = secure
        self._people = _Guesses(monotonic)
        self._machines = _Guesses(monotonic)
        key = hmac.new(secret_key, b"spark: sessions\0" + token.encode(), hashlib.sha256).digest()
        self._sessions = _Sessions(key, now)

    def blueprint(self) -> Blueprint:
        """`/signin` and `/signout`."""
        routes = Blueprint("access", __name__)
        routes.get("/signin")(self._ask)
        routes.post("/signin")(self._sign_in)
        routes.post("/signout")(self._sign_out)
        return routes

    def allowed(self, asked: Request) -> bool:
        """Whether this request may see the pages."""
        return self._standing(asked) is _Standing.IN

    def refuse(self) -> Response | None:
        """The answer to the request at hand if it may not see the pages; None if it may.

        A browser is led to `/signin`; a machine gets 401, or 429 after too many wrong tokens; where there is no token to sign
        in with, everybody gets 403.
        """
        standing = self._standing(request)
        if standing is _Standing.IN:
            return None
        if standing is _Standing.CLOSED:
            return _page(403, signin_page.closed_page()) if is_browser(request) else _line(403, _CLOSED)
        if standing is _Standing.TOO_MANY:
            return _line(429, "Too many wrong tokens.", {"Retry-After": str(self._machines.wait())})
        if standing is _Standing.UNKNOWN and is_browser(request):
            return _go(_sign_in_address())
        told = _WRONG if standing is _Standing.WRONG else _UNKNOWN
        return _line(401, told, {"WWW-Authenticate": 'Bearer realm="spark"'})

    def signed_in(self, asked: Request) -> bool:
        """Whether this browser has a session, and so something to sign out of."""
        return self._token is not None and self._sessions.is_good(asked.cookies.get(self._cookie(asked), ""))

    def _standing(self, asked: Request) -> _Standing:
        if self._token is None:
            return _Standing.IN if self._bound_to_loopback and is_local(asked) else _Standing.CLOSED
        if self.signed_in(asked):
            return _Standing.IN
        scheme, _, told = asked.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return _Standing.UNKNOWN
        # WSGI gives the bytes of a header as Latin-1.
        return self._machines.guess(told.strip().encode("latin-1", "replace"), self._token)

    def _ask(self) -> Response:
        onward = own_path(request.args.get("next", ""))
        standing = self._standing(request)
        if standing is _Standing.IN:
            return _go(onward)
        if standing is _Standing.CLOSED:
            return _page(403, signin_page.closed_page())
        return _page(200, signin_page.signin_page(onward=onward))

    def _sign_in(self) -> Response:
        if is_foreign(request):
            return _line(403, "This sign-in was sent by another site. Open /signin here and sign in there.")
        if self._token is None:
            return self._ask()
        request.max_content_length = _MOST_FORM
        onward = own_path(request.form.get("next", ""))
        told = request.form.get("token", "").strip()
        if not told:
            return _page(422, signin_page.signin_page(onward=onward, problem="Type the page token."))
        standing = self._people.guess(told.encode("utf-8", "replace"), self._token)
        if standing is _Standing.TOO_MANY:
            wait = self._people.wait()
            html = signin_page.signin_page(
                onward=onward, problem=f"Too many wrong tokens were tried. Try again in {wait} seconds."
            )
            return _page(429, html, {"Retry-After": str(wait)})
        if standing is _Standing.WRONG:
            log.warning("access.wrong_token", address=request.remote_addr)
            return _page(
                401, signin_page.signin_page(onward=onward, problem="This is not the page token of this server.")
            )
        log.info("access.signed_in", address=request.remote_addr)
        answer = _go(onward)
        answer.set_cookie(
            self._cookie(request),
            self._sessions.new(),
            max_age=SESSION_DAYS * 86_400,
            path="/",
            httponly=True,
            # Lax, not Strict: people come here from links in pull requests.
            samesite="Lax",
            secure=self._is_secure(request),
        )
        return answer

    def _sign_out(self) -> Response:
        # The pages name no referrer, so over plain http a browser says that their form comes from nowhere. That is one of
        # ours if the session came with it: a browser leaves a Lax cookie out of what another site posts.
        from_nowhere = request.headers.get("Origin") == "null" and "Sec-Fetch-Site" not in request.headers
        if is_foreign(request) and not (from_nowhere and self.signed_in(request)):
            return _line(403, "This was sent by another site. Sign out on a page of this server.")
        answer = _go("/signin" if self._token is not None else "/")
        answer.delete_cookie(
            self._cookie(request), path="/", httponly=True, samesite="Lax", secure=self._is_secure(request)
        )
        return answer

    def _is_secure(self, asked: Request) -> bool:
        # A proxy that ends TLS says so; a browser that says it itself only gets a stricter cookie.
        forwarded = asked.headers.get("X-Forwarded-Proto", "").split(",")[0].strip().lower()
        return self._secure or asked.is_secure or forwarded == "https"

    def _cookie(self, asked: Request) -> str:
        # With the prefix, no other host below the same domain can put a session of its own into this browser.
        return f"__Host-{COOKIE}" if self._is_secure(asked) else COOKIE


class _Guesses:
    """Compares tokens; after `MOST_WRONG` wrong ones within `WINDOW` it lets in nobody but who has a long one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wrong: deque[float] = deque()
        self._lock = threading.Lock()

    def guess(self, told: bytes, token: bytes) -> _Standing:
        """IN, WRONG, or TOO_MANY: wrong, or not even looked at."""
        # Under the lock, so that guesses sent at the same time are counted, too.
        with self._lock:
            now = self._clock()
            while self._wrong and now - self._wrong[0] >= WINDOW:
                self._wrong.popleft()
            stopped = len(self._wrong) >= MOST_WRONG
            if (not stopped or len(token) >= UNGUESSABLE) and _is_same(told, token):
                return _Standing.IN
            if stopped:
                return _Standing.TOO_MANY
            self._wrong.append(now)
            return _Standing.WRONG

    def wait(self) -> int:
        """Seconds until a guess is looked at again, at least 1."""
        with self._lock:
            oldest = self._wrong[0] if self._wrong else -math.inf
        return max(1, math.ceil(oldest + WINDOW - self._clock())) if math.isfinite(oldest) else 1


class _Sessions(TimestampSigner):
    """Sessions are signed times."""

    def __init__(self, key: bytes, now: Callable[[], float]) -> None:
        super().__init__(key, salt=b"spark-session", key_derivation="hmac", digest_method=hashlib.sha256)
        self._now = now

    def get_timestamp(self) -> int:
        """Seconds since 1970."""
        return int(self._now())

    def new(self) -> str:
        """A session that begins now."""
        return self.sign(_SIGNED_IN).decode("ascii")

    def is_good(self, told: str) -> bool:
        """Whether it was made with this key and is not too old."""
        try:
            return self.unsign(told.encode("utf-8", "replace"), SESSION_DAYS * 86_400) == _SIGNED_IN
        except BadSignature:
            return False


def _is_same(told: bytes, token: bytes) -> bool:
    # Digests, because a comparison of unlike lengths ends at once.
    return hmac.compare_digest(hashlib.sha256(told).digest(), hashlib.sha256(token).digest())


def _sign_in_address() -> str:
    asked = quote(request.path, safe="/")
    if request.query_string:
        asked += f"?{request.query_string.decode('ascii', 'replace')}"
    onward = own_path(asked) if request.method in {"GET", "HEAD"} else "/"
    return "/signin" if onward == "/" else f"/signin?{urlencode({'next': onward})}"


def _page(status: int, html: str, headers: dict[str, str] | None = None) -> Response:
    answer = Response(html, status, headers=headers, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src {form_pages.style_policy()}; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    # With no-referrer a browser would say that the form comes from nowhere.
    answer.headers["Referrer-Policy"] = "same-origin"
    return _unkept(answer)


def _line(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return _unkept(Response(f"{text}\n", status, headers=headers, mimetype="text/plain"))


def _go(path: str) -> Response:
    return _unkept(Response(status=303, headers={"Location": path}))


def _unkept(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer
