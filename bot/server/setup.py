"""`/setup`: the GitHub App is made in the browser, by GitHub's manifest flow, and its keys go to the settings file.

Three steps: a form; GitHub's own page, to which the browser sends the manifest; back here with a code. Refuses a code that
this browser did not ask for, and is not there at all once an App is set. Pages need no script and load nothing.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from bot.errors import SparkError, UserError
from bot.github import manifest as github
from bot.html import form_pages, setup_pages
from bot.html.setup_pages import Asked, Form
from bot.server.setup_flow import SECONDS, Convert, NotBegun, Saved, SetUp, Unsaved
from bot.server.setup_wish import Wish, first_form, read_form, read_wish
from bot.settings import Settings

COOKIE: Final = "spark_setup"
_MOST_FORM: Final = 20_000
"""Bytes of a form; these fields need a few hundred."""
_CODE: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_AUTHORITY: Final = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")

Refuse = Callable[[], Response | None]
"""Who may not see the pages gets this answer; None for everybody else."""


def blueprint(
    *,
    settings_file: Path,
    settings: Settings,
    refuse: Refuse,
    env: Mapping[str, str] | None = None,
    convert: Convert = github.convert,
    secret_key: bytes | None = None,
    on_written: Callable[[], None] | None = None,
    restart: str = "",
) -> Blueprint:
    """The pages under `/setup`, all 404 once an App is set.

    `refuse` is asked before each of them. `on_written` is called when the last page has gone out; `restart` says on it how
    the server comes to read the file, by default that somebody has to start it again.
    """
    setup = SetUp(file=settings_file, settings=settings, env=os.environ if env is None else env, convert=convert)
    pages = _Pages(setup, secret_key or secrets.token_bytes(32), on_written, restart or _restart(setup.file))
    routes = Blueprint("setup", __name__, url_prefix="/setup")

    @routes.before_request
    def _before() -> Response | None:
        request.max_content_length = _MOST_FORM
        return refuse()

    routes.after_request(_harden(settings.github_server_url))
    routes.get("", strict_slashes=False)(pages.start)
    routes.post("")(pages.confirm)
    routes.get("/done")(pages.done)
    routes.post("/write")(pages.write)
    return routes


@dataclass(frozen=True, slots=True)
class _Pages:
    """The pages of one process's set-up."""

    setup: SetUp
    key: bytes
    on_written: Callable[[], None] | None
    restart: str

    def start(self) -> Response:
        """The form; after the App was written, the last page for whoever made it."""
        state = self._state()
        if self.setup.is_over or self.setup.is_made:
            return self._again(state)
        return self._first(state or secrets.token_urlsafe(32), first_form(self.setup.settings), {})

    def confirm(self) -> Response:
        """The wish checked, and the button that sends it to GitHub."""
        if self.setup.is_over or self.setup.is_made:
            return self._again(self._state())
        state = self._asked(request.form.get("state", ""))
        if state is None:
            return _problem(400, "This form is too old", "It was opened more than an hour ago, or without cookies.")
        form = read_form(request.form)
        wish = read_wish(form)
        if not isinstance(wish, Wish):
            return self._first(state, form, wish, status=422)
        if self.setup.blocked():
            return self._first(state, form, {})
        self.setup.begin(state, wish)
        settings = self.setup.settings
        manifest = github.manifest(
            name=wish.name, url=wish.public_url, public_url=wish.public_url, redirect_url=f"{_own_url()}/setup/done"
        )
        notices = []
        if wish.is_local and not _is_loopback(settings.github_server_url):
            notices.append(
                f"{wish.public_url} is this machine alone: GitHub cannot deliver to it, and may refuse to make the App."
            )
        html = setup_pages.confirm_page(
            action=github.registration_url(settings.github_server_url, wish.organisation or None, state),
            manifest=manifest,
            owner=f"the organisation {wish.organisation}" if wish.organisation else "your own account",
            webhook=f"{wish.public_url}/webhook",
            file=str(self.setup.file),
            notices=notices,
        )
        return self._remember(_html(html), state)

    def done(self) -> Response:
        """GitHub sends the browser here with a code."""
        if self.setup.settings.app_id is not None:
            abort(404)
        state, code = self._asked(request.args.get("state", "")), request.args.get("code", "")
        if state is None:
            return _problem(400, *_NOT_ASKED, remedies=_ORPHAN)
        if not _CODE.fullmatch(code):
            return _problem(
                400, "GitHub sent no code", "The address that you came back with is not whole.", remedies=_ORPHAN
            )
        try:
            return self._ended(state, self.setup.finish(state, code))
        except UserError as error:
            return _problem(400, "GitHub did not take the code", str(error), remedies=_ORPHAN)
        except SparkError as error:
            again = f"{request.path}?{request.query_string.decode('ascii', 'replace')}"
            return _problem(
                502,
                "GitHub could not be asked for the keys",
                str(error),
                remedies=("The App may be there already. The code is good for an hour: try again.",),
                again=again,
            )

    def write(self) -> Response:
        """The keys are there, the file was not: once more."""
        if self.setup.settings.app_id is not None:
            abort(404)
        state = self._asked(request.form.get("state", ""))
        if state is None:
            return _problem(400, *_NOT_ASKED)
        return self._ended(state, self.setup.write_again(state))

    def _first(self, state: str, form: Form, problems: Mapping[str, str], *, status: int = 200) -> Response:
        shadowed = self.setup.shadowed()
        notices = []
        if shadowed:
            verb = "is" if len(shadowed) == 1 else "are"
            notices.append(
                f"{', '.join(shadowed)} {verb} set in the environment of this process and will go before what the file "
                "says. Remove that from there before you start the server again."
            )
        html = setup_pages.start_page(
            state=state,
            form=form,
            problems=problems,
            asked=asked(),
            file=str(self.setup.file),
            github_url=self.setup.settings.github_server_url,
            notices=notices,
            blocked=self.setup.blocked(),
        )
        return self._remember(_html(html, status), state)

    def _ended(self, state: str, outcome: Saved | Unsaved | NotBegun) -> Response:
        if isinstance(outcome, NotBegun):
            return _problem(400, _NOT_ASKED[0], f"{outcome.why}.", remedies=_ORPHAN)
        if isinstance(outcome, Unsaved):
            html = setup_pages.unwritten_page(
                state=state,
                name=outcome.wish.name,
                page=outcome.app.html_url,
                problem=outcome.problem,
                file=str(self.setup.file),
                lines=outcome.lines,
            )
            return self._remember(_html(html, 500), state)
        html = setup_pages.written_page(
            file=str(self.setup.file),
            backup=str(outcome.backup or ""),
            page=outcome.app.html_url,
            restart=self.restart,
            webhook=f"{outcome.wish.public_url}/webhook",
            notices=outcome.notices,
        )
        response = _html(html)
        if self.on_written is not None:
            response.call_on_close(self.on_written)
        return response

    def _again(self, state: str | None) -> Response:
        """The App is there: its last page for the browser that made it, for others nothing."""
        if self.setup.settings.app_id is not None:
            abort(404)
        outcome = self.setup.write_again(state or "")
        if not isinstance(outcome, NotBegun):
            return self._ended(state or "", outcome)
        if self.setup.is_over:
            abort(404)
        return _problem(
            409,
            "An App was made from another browser",
            "GitHub has made the App, and its keys wait here to be written.",
            remedies=("Go on in that browser: its last page says what is in the way.",),
        )

    def _state(self) -> str | None:
        """The state in this browser's cookie: signed here, not older than an hour."""
        try:
            state = self._signer().loads(request.cookies.get(COOKIE, ""), max_age=int(SECONDS))
        except BadSignature:
            return None
        return state if isinstance(state, str) else None

    def _asked(self, told: str) -> str | None:
        """The state that a form or GitHub brings back, if it is the one in the cookie."""
        state = self._state()
        if state is None or not hmac.compare_digest(state.encode(), told.encode("utf-8", "replace")):
            return None
        return state

    def _remember(self, response: Response, state: str) -> Response:
        response.set_cookie(
            COOKIE,
            self._signer().dumps(state),
            max_age=int(SECONDS),
            path="/setup",
            httponly=True,
            # Lax, not Strict: GitHub leads the browser back here, and the cookie must come with it.
            samesite="Lax",
            secure=_own_url().startswith("https:"),
        )
        return response

    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.key, salt="spark-setup")


_NOT_ASKED: Final = (
    "This answer does not belong to a set-up of this browser",
    "It was begun in another browser or more than an hour ago, or the address was changed on its way.",
)
_ORPHAN: Final = (
    "Nothing was written. If GitHub has made an App all the same, delete it in its settings there (Developer settings, "
    "GitHub Apps) and begin anew; its keys were never here.",
)


def asked() -> Asked:
    """What the App asks GitHub for, with the reasons."""
    return Asked(
        permissions=[(name, level, reason) for name, (level, reason) in github.PERMISSIONS.items()],
        events=[*github.EVENTS.items(), *github.AUTOMATIC_EVENTS.items()],
    )


def _html(html: str, status: int = 200) -> Response:
    return Response(html, status, mimetype="text/html")


def _problem(status: int, title: str, problem: str, *, remedies: tuple[str, ...] = (), again: str = "") -> Response:
    return _html(setup_pages.problem_page(title=title, problem=problem, remedies=remedies, again=again), status)


def _harden(github_url: str) -> Callable[[Response], Response]:
    parts = urlsplit(github_url)
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src {form_pages.style_policy()}",
            f"form-action 'self' {parts.scheme}://{parts.netloc}",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )

    def add(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        # The form that goes to GitHub says where it comes from; the address with the code in it stays here.
        response.headers["Referrer-Policy"] = "strict-origin"
        return response

    return add


def _own_url() -> str:
    """The address that this browser reaches us at: GitHub sends it back there, where its cookie is."""
    if not _AUTHORITY.fullmatch(request.host):
        abort(400)
    # A reverse proxy that ends TLS says so; a browser that says it itself only harms itself.
    forwarded = request.headers.get("X-Forwarded-Proto", "").split(",")[0].strip()
    scheme = "https" if request.is_secure or forwarded == "https" else "http"
    return f"{scheme}://{request.host}"


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}


def _restart(file: Path) -> str:
    if file.name == ".env":
        return f"Start Spark in {file.parent}, where it reads the file: stop it if it runs, then spark serve."
    return f"Start Spark with {file.name} as the .env of its working directory: stop it if it runs, then spark serve."
