"""What GitHub answers when it does not do what was asked, and the one table from there to our errors.

A `Reply` is any HTTP answer and a `Cut` is none at all; both are values, because a caller that writes must look at them
before anything is raised. `error_for` is the only place where a status becomes an exception. No text that leaves this
module contains a token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from bot.errors import CredentialsError, NotPermittedError, OutsideError, SparkError, UserError
from bot.github.limits import SECONDARY_WAIT

_TOKENS = re.compile(
    r"\b(?:gh[a-z]_[A-Za-z0-9._-]{20,}|github_pat_[A-Za-z0-9_]{20,}|eyJ[\w-]{10,}\.[\w-]+\.[\w-]+)|(?<=Bearer )\S+|(?<=token )\S{20,}"
)
"""GitHub's token shapes. Installation tokens are about 520 characters with `.` and `_` in them since 2026, so no shape here
has a fixed length."""

_PRIMARY = "api rate limit exceeded"
_SECONDARY = ("secondary rate limit", "abuse detection", "submitted too quickly")


class RateLimitedError(OutsideError):
    """GitHub asked for a pause that is longer than we may wait. `wait` is in seconds."""

    def __init__(self, what: str, *, wait: float, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.wait = wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer. `text` is decoded with `surrogateescape`, so that `data` gives the bytes back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    text: str
    remedy: str = ""
    """What mends a 401, where that is not a new GITHUB_TOKEN."""

    @property
    def ok(self) -> bool:
        """Whether GitHub did what was asked."""
        return 200 <= self.status < 300

    @property
    def data(self) -> bytes:
        """The body as it came."""
        return self.text.encode("utf-8", "surrogateescape")

    def json(self) -> Any:
        """The body as JSON. OutsideError when it is none: an HTML page of a proxy, an answer that was cut."""
        try:
            return json.loads(self.text)
        except ValueError:
            raise OutsideError(
                f"GitHub answered {self.status} with something that is not JSON",
                remedy="Check GITHUB_API_URL, and whether a proxy stands in between",
            ) from None

    @property
    def message(self) -> str:
        """GitHub's own words on one line, with each entry of `errors`; empty when there are none."""
        try:
            body = json.loads(self.text)
        except ValueError:
            return ""
        if not isinstance(body, dict):
            return ""
        parts = [str(body.get("message") or "")]
        errors = body.get("errors")
        for error in errors if isinstance(errors, list) else [errors] if errors else []:
            if isinstance(error, dict):
                where = error.get("field") or ""
                said = error.get("message") or error.get("code") or ""
                parts.append(f"{where}: {said}" if where and said else str(said or where))
            else:
                parts.append(str(error))
        return redact(" ".join("; ".join(part for part in parts if part).split()))[:600]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """No answer: the connection could not be made, was cut, or stayed silent. A write may have landed all the same."""

    reason: str
    silent: bool = False
    """The server took the request and said nothing for as long as we wait: asking again would take as long again."""


def redact(text: str) -> str:
    """`text` without anything that has the shape of a GitHub token."""
    return _TOKENS.sub("***", text)


def rate_wait(reply: Reply) -> float | None:
    """Seconds that GitHub asks us to wait; None when this answer is no rate limit.

    Order as documented: `retry-after`; else, with nothing remaining, until `x-ratelimit-reset` (reckoned from the answer's
    own `date`, so that our clock need not be right); else a minute.
    """
    message = reply.message.lower()
    secondary = any(words in message for words in _SECONDARY)
    if reply.status == 422 and secondary:
        return _retry_after(reply) or SECONDARY_WAIT
    if reply.status not in {403, 429}:
        return None
    spent = reply.headers.get("x-ratelimit-remaining") == "0"
    told = _retry_after(reply)
    if reply.status == 403 and not (secondary or spent or told is not None or message.startswith(_PRIMARY)):
        return None
    if told is not None:
        return told
    return _until_reset(reply) if spent else SECONDARY_WAIT


def _retry_after(reply: Reply) -> float | None:
    value = reply.headers.get("retry-after", "").strip()
    return float(value) if value.isdigit() else None


def _until_reset(reply: Reply) -> float:
    reset = reply.headers.get("x-ratelimit-reset", "")
    try:
        now = parsedate_to_datetime(reply.headers["date"]).timestamp()
        # One more, for it is not told when within that second the reset comes.
        return max(1.0, float(reset) - now + 1.0)
    except (KeyError, ValueError):
        return SECONDARY_WAIT


def error_for(answer: Reply | Cut, *, doing: str, needs: str = "") -> SparkError:
    """The exception for an answer that stops the job.

    `doing` completes "GitHub ... while ...", such as `reading acme/shop#7`; `needs` names the permission that this takes,
    for when GitHub does not say it itself.
    """
    if isinstance(answer, Cut):
        return OutsideError(
            f"GitHub could not be reached while {doing}: {redact(answer.reason)}",
            remedy="Check the network and try again",
        )
    for applies, make in _TABLE:
        if applies(answer):
            return make(answer, doing, needs)
    return OutsideError(_told(answer, doing))


def _told(reply: Reply, doing: str) -> str:
    said = f": {reply.message}" if reply.message else ""
    return f"GitHub answered {reply.status} while {doing}{said}"


def _permission(reply: Reply, needs: str) -> str:
    accepted = reply.headers.get("x-accepted-github-permissions") or needs
    scopes = reply.headers.get("x-accepted-oauth-scopes", "")
    if accepted:
        return f"The token needs the permission {accepted}" + (f" (classic tokens: {scopes})" if scopes else "")
    return f"A classic token needs one of the scopes {scopes}" if scopes else "Check what the token may do"


def _credentials(reply: Reply, doing: str, _needs: str) -> SparkError:
    remedy = reply.remedy or "Set GITHUB_TOKEN to a token that is valid and has not expired"
    return CredentialsError(_told(reply, doing), remedy=remedy)


def _limited(reply: Reply, doing: str, _needs: str) -> SparkError:
    wait = rate_wait(reply) or SECONDARY_WAIT
    return RateLimitedError(
        f"GitHub's rate limit is reached while {doing}", wait=wait, remedy=f"Try again in {wait:.0f} seconds"
    )


def _sso(reply: Reply, doing: str, _needs: str) -> SparkError:
    return NotPermittedError(_told(reply, doing), remedy="Authorise the token for the organisation's single sign-on")


def _forbidden(reply: Reply, doing: str, needs: str) -> SparkError:
    return NotPermittedError(_told(reply, doing), remedy=_permission(reply, needs))


def _not_found(reply: Reply, doing: str, needs: str) -> SparkError:
    seen = f", and whether the token may see it ({needs})" if needs else ", and whether the token may see it"
    return NotPermittedError(_told(reply, doing), remedy="Check the name" + seen)


def _gone(reply: Reply, doing: str, _needs: str) -> SparkError:
    return UserError(_told(reply, doing))


def _down(reply: Reply, doing: str, _needs: str) -> SparkError:
    return OutsideError(_told(reply, doing), remedy="Try again; https://www.githubstatus.com tells of troubles")


_TABLE: tuple[tuple[Callable[[Reply], bool], Callable[[Reply, str, str], SparkError]], ...] = (
    (lambda reply: reply.status == 401, _credentials),
    (lambda reply: rate_wait(reply) is not None, _limited),
    (lambda reply: reply.status == 403 and "x-github-sso" in reply.headers, _sso),
    (lambda reply: reply.status == 403, _forbidden),
    (lambda reply: reply.status == 404, _not_found),
    (lambda reply: reply.status in {410, 451}, _gone),
    (lambda reply: reply.status >= 500, _down),
)
