"""Spark as a GitHub App: who it is, and clients for the repositories it is installed on.

Tokens are asked for beside whatever else is being done, narrowed to one repository and to what a review needs, shared by
all jobs of that repository and renewed before they end. They live in memory alone and are never logged.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from bot import log
from bot.errors import CredentialsError, NotPermittedError, OutsideError, SparkError
from bot.github import limits
from bot.github.app_key import WRONG_KEY, Signer, read_key
from bot.github.client import GitHubClient
from bot.github.faults import Cut, Reply, error_for, rate_wait
from bot.github.line import await_until_stopped, open_line
from bot.github.manifest import PERMISSIONS, REVIEW_PERMISSIONS, TOKEN_PERMISSIONS
from bot.review.model import RepoName
from bot.review.ports import Clock, Stop

_MINT_SECONDS: Final = 30.0
"""For asking a token, whoever waits for it."""
_OFF: Final = 30.0
"""Seconds by which this machine's clock may differ before it is named as the likely fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFacts:
    """What GitHub says of the App."""

    id: int
    slug: str
    name: str

    @property
    def login(self) -> str:
        """The account that the App writes as."""
        return f"{self.slug}[bot]"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    value: str = field(repr=False)
    ends: float
    """By the job's clock."""


@dataclass(slots=True)
class _Slot:
    """What is known for one installation and repository."""

    token: _Token | None = None
    minting: Future[_Token | Reply | Cut] | None = None
    used: float = 0.0
    """When somebody last wanted it, by the jobs' clock."""
    refused: bool = False
    """The last asking gave none."""


_Key = tuple[int, RepoName]


class App:
    """One for a process. Everything may be called from several threads; close it at the end."""

    def __init__(
        self,
        *,
        app_id: str | int,
        private_key: str,
        api_url: str,
        clock: Clock,
        user_agent: str,
        graphql_url: str | None = None,
        wait: Callable[[Stop, float], bool] = Stop.wait,
        read_seconds: float = limits.READ_SECONDS,
        today: Callable[[], float] = time.time,
    ) -> None:
        """Sends nothing. `today` gives seconds since 1970. ConfigError for a key or URL that is none."""
        key = read_key(private_key)
        self._line = open_line(
            api_url=api_url,
            graphql_url=graphql_url,
            user_agent=user_agent,
            read_seconds=read_seconds,
            sockets=limits.SERVER_SOCKETS,
        )
        self._clock = clock
        self._wait = wait
        self._today = today
        self._signer = Signer(key, str(app_id), clock=clock, today=today)
        self._own = self.app_client()
        self._lock = threading.Lock()
        self._slots: OrderedDict[_Key, _Slot] = OrderedDict()
        self._facts: Future[AppFacts] | None = None
        self._pool = ThreadPoolExecutor(max_workers=limits.PARALLEL_READS, thread_name_prefix="github-app")

    def close(self) -> None:
        """Close every connection, also those of the clients."""
        self._pool.shutdown(cancel_futures=True)
        self._own.close()
        self._line.close()

    def facts(self) -> AppFacts:
        """Who the App is; asked of GitHub once. CredentialsError when id and key do not belong together."""
        future = self._ask_facts()
        try:
            return future.result()
        except SparkError:
            with self._lock:
                if self._facts is future:
                    self._facts = None
            raise

    def app_client(self) -> GitHubClient:
        """A client that is the App itself: for its installations and its log of deliveries."""
        return GitHubClient(
            self._line, self._signer, clock=self._clock, wait=self._wait, login=self._login, owns_line=False
        )

    def client(self, installation: int, repo: RepoName) -> GitHubClient:
        """A client for one repository. Returns at once; its token is on its way. Close it when done.

        `installation` 0 is looked up. What makes a token impossible (the App was removed or suspended) is raised by the first
        request, as NotPermittedError.
        """
        key = (installation, repo)
        with self._lock:
            self._begin(key)
        self._ask_facts()
        return GitHubClient(
            self._line,
            _RepoTokens(self, key),
            clock=self._clock,
            wait=self._wait,
            login=self._login,
            owns_line=False,
        )

    def renew_ahead(self) -> int:
        """Ask for new tokens where those of repositories in use are about to end; gives how many. Waits for nothing.

        Called now and then, it spares the first review after a quiet hour a round trip. What was refused is asked for again only
        when it is wanted.
        """
        begun = 0
        with self._lock:
            now = self._clock.now()
            for key in list(self._slots)[-limits.MAX_TOKENS_AHEAD :]:
                slot = self._slots[key]
                ends = slot.token.ends if slot.token is not None and not slot.refused else None
                in_use = now - slot.used < limits.KEEP_TOKEN_SECONDS
                if ends is not None and in_use and slot.minting is None and ends - now <= limits.RENEW_TOKEN_SECONDS:
                    slot.minting = self._pool.submit(self._renew, key, slot)
                    begun += 1
        return begun

    def take(self, key: _Key, stop: Stop) -> str | Reply | Cut:
        """The token for `key`; waits for it where there is none that lasts. For the clients."""
        with self._lock:
            slot = self._begin(key)
            if slot.token is not None and slot.token.ends - self._clock.now() > limits.TOKEN_LEAST_SECONDS:
                return slot.token.value
            minting = slot.minting
        assert minting is not None
        if not await_until_stopped(minting, stop):
            return Cut(reason="GitHub gave no token in time")
        made = minting.result()
        return made.value if isinstance(made, _Token) else made

    def drop(self, key: _Key, token: str) -> None:
        """Forget a token that GitHub refused. For the clients."""
        with self._lock:
            slot = self._slots.get(key)
            if slot is not None and slot.token is not None and slot.token.value == token:
                slot.token = None

    def _begin(self, key: _Key) -> _Slot:
        """The slot of `key`, with a token that lasts or one on its way. One is asked for at a time. Under the lock."""
        slot = self._slots.setdefault(key, _Slot())
        self._slots.move_to_end(key)
        slot.used = self._clock.now()
        if len(self._slots) > limits.MAX_KEPT_TOKENS:
            self._slots.popitem(last=False)
        lasts = slot.token is not None and slot.token.ends - self._clock.now() > limits.RENEW_TOKEN_SECONDS
        if not lasts and slot.minting is None:
            slot.minting = self._pool.submit(self._renew, key, slot)
        return slot

    def _renew(self, key: _Key, slot: _Slot) -> _Token | Reply | Cut:
        made: _Token | Reply | Cut | None = None
        try:
            made = self._mint(key)
            return made
        finally:
            with self._lock:
                slot.minting = None
                slot.refused = not isinstance(made, _Token)
                if isinstance(made, _Token):
                    slot.token = made

    def _mint(self, key: _Key) -> _Token | Reply | Cut:
        """Ask for a token. A Reply or Cut is a fault that may pass; a lasting one is raised."""
        installation, repo = key
        stop = Stop(deadline=self._clock.now() + _MINT_SECONDS, clock=self._clock)
        doing = f"asking for a token for {repo}"
        if not installation:
            found = self._own.call("GET", f"/repos/{repo}/installation", stop=stop)
            if isinstance(found, Cut) or not found.ok:
                return self._passing(found, repo, doing)
            installation = int(_member(found, "id"))
        answer = self._ask_token(installation, repo, {name: PERMISSIONS[name][0] for name in TOKEN_PERMISSIONS}, stop)
        if _not_granted(answer):
            # Accepted before the App asked for more. Reviews go on; what needs more is refused by GitHub and says so.
            log.warning("github.permissions_not_accepted", repo=repo, installation=installation)
            answer = self._ask_token(installation, repo, REVIEW_PERMISSIONS, stop)
        if isinstance(answer, Cut) or not answer.ok:
            return self._passing(answer, repo, doing)
        return _Token(value=_member(answer, "token"), ends=self._clock.now() + _seconds_left(answer, self._today()))

    def _ask_token(self, installation: int, repo: RepoName, permissions: Mapping[str, str], stop: Stop) -> Reply | Cut:
        body = {"repositories": [repo.partition("/")[2]], "permissions": dict(permissions)}
        path = f"/app/installations/{installation}/access_tokens"
        answer = self._own.call("POST", path, stop=stop, body=body)
        if (isinstance(answer, Cut) and not answer.silent) or (isinstance(answer, Reply) and answer.status >= 500):
            # A token too many does no harm, so this write may be repeated.
            answer = self._own.call("POST", path, stop=stop, body=body)
        return answer

    def _passing(self, answer: Reply | Cut, repo: RepoName, doing: str) -> Reply | Cut:
        """`answer` when it may be another one later; else its error."""
        if isinstance(answer, Cut) or answer.status >= 500 or rate_wait(answer) is not None:
            return answer
        owner = repo.partition("/")[0]
        said = f"GitHub gives no token for {repo}: {answer.message or answer.status}"
        if answer.status == 401:
            raise CredentialsError(said, remedy=_clock_remedy(answer, self._today()))
        if answer.status == 404:
            raise NotPermittedError(said, remedy=f"Install the App on {owner}, with {repo} among its repositories")
        if _not_granted(answer):
            raise NotPermittedError(
                said, remedy=f"Let an owner of {owner} accept the App's new permissions in its installation settings"
            )
        if answer.status == 422:
            raise NotPermittedError(said, remedy=f"Add {repo} to the repositories of the App's installation on {owner}")
        if answer.status == 403 and "suspended" in answer.message.lower():
            raise NotPermittedError(said, remedy=f"Let an owner of {owner} unsuspend the App's installation")
        raise error_for(answer, doing=doing)

    def _ask_facts(self) -> Future[AppFacts]:
        with self._lock:
            if self._facts is None:
                self._facts = self._pool.submit(self._read_facts)
            return self._facts

    def _read_facts(self) -> AppFacts:
        stop = Stop(deadline=self._clock.now() + _MINT_SECONDS, clock=self._clock)
        reply = self._own.get("/app", stop=stop, doing="asking who the App is", bear=frozenset({401}))
        if reply.status == 401:
            raise CredentialsError(
                f"GitHub refuses the App's key: {reply.message}", remedy=_clock_remedy(reply, self._today())
            )
        return AppFacts(id=int(_member(reply, "id")), slug=_member(reply, "slug"), name=_member(reply, "name"))

    def _login(self) -> str | None:
        try:
            return self.facts().login
        except SparkError:
            return None


class _RepoTokens:
    """The `Tokens` of a client for one repository."""

    any = True
    remedy = "The App's token was refused twice: see whether the App is still installed there"

    def __init__(self, app: App, key: _Key) -> None:
        self._app = app
        self._key = key

    def take(self, stop: Stop) -> str | Reply | Cut:
        return self._app.take(self._key, stop)

    def refuse(self, token: str) -> bool:
        self._app.drop(self._key, token)
        return True


def _not_granted(answer: Reply | Cut) -> bool:
    """Whether the installation's owner has not given the App what was asked for."""
    return isinstance(answer, Reply) and answer.status == 422 and "permission" in answer.message.lower()


def _member(reply: Reply, name: str) -> str:
    data: Any = reply.json()
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, str | int) or not value:
        raise OutsideError(f"GitHub's answer has no {name}", remedy="Check GITHUB_API_URL")
    return str(value)


def _seconds_left(reply: Reply, today: float) -> float:
    """How long a new token lasts, reckoned from the answer's own date, so that our clock need not be right."""
    try:
        return datetime.fromisoformat(_member(reply, "expires_at")).timestamp() - (_date(reply) or today)
    except ValueError:
        raise OutsideError("GitHub's answer has no expires_at", remedy="Check GITHUB_API_URL") from None


def _date(reply: Reply) -> float | None:
    try:
        return parsedate_to_datetime(reply.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None


def _clock_remedy(reply: Reply, today: float) -> str:
    theirs = _date(reply)
    if theirs is not None and abs(theirs - today) > _OFF:
        return f"Set this machine's clock: it differs from GitHub's by {abs(theirs - today):.0f} seconds"
    return WRONG_KEY
