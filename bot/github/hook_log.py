"""GitHub's own log of what it tried to deliver to the App, and having a delivery tried again.

GitHub never repeats a failed delivery by itself, and keeps the log for three days (docs: handling failed webhook
deliveries).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from bot.errors import OutsideError
from bot.github import limits
from bot.github.app import App
from bot.github.client import GitHubClient, links
from bot.github.faults import Reply, error_for
from bot.review.ports import Clock, Stop

_PATH: Final = "/app/hook/deliveries"
_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HookDelivery:
    """One attempt of GitHub's to deliver something."""

    id: int
    guid: str
    """`X-GitHub-Delivery`; all attempts at one delivery share it."""
    event: str
    delivered_at: float
    """Seconds since 1970."""
    ok: bool
    """Whether the answer was 2xx."""
    redelivery: bool


class AppHookLog:
    """The log of one App. Safe for threads."""

    def __init__(self, app: App) -> None:
        self._client: GitHubClient = app.app_client()
        self._clock: Clock = self._client.clock

    def close(self) -> None:
        """End; the App's connections stay."""
        self._client.close()

    def recent(self, since: float) -> Sequence[HookDelivery]:
        """The attempts since `since` (seconds since 1970), newest first; none at all when none of them failed.

        Failures are asked for first: where there are none, that is one request, however much was delivered. Of what went well
        only the newest is read, so a success long ago may be missing; then its delivery is merely had once more. Raises
        SparkError.
        """
        stop = Stop(deadline=self._clock.now() + _SECONDS, clock=self._clock)
        failed = self._list(since, stop, {"status": "failure"})
        if all(each.ok for each in failed):
            return []
        found = {each.id: each for each in [*failed, *self._list(since, stop, {})]}
        return sorted(found.values(), key=lambda each: (each.delivered_at, each.id), reverse=True)

    def redeliver(self, id: int) -> None:  # noqa: A002 - the port's word
        """Have GitHub try it again, with the same guid. Raises SparkError."""
        stop = Stop(deadline=self._clock.now() + _SECONDS, clock=self._clock)
        answer = self._client.call("POST", f"{_PATH}/{id}/attempts", stop=stop)
        if not isinstance(answer, Reply) or not answer.ok:
            raise error_for(answer, doing=f"asking for delivery {id} again")

    def _list(self, since: float, stop: Stop, more: Mapping[str, str]) -> list[HookDelivery]:
        found: list[HookDelivery] = []
        params: dict[str, str | int] = {"per_page": limits.PER_PAGE, **more}
        for _ in range(limits.MAX_DELIVERY_PAGES):
            reply = self._client.get(_PATH, stop=stop, doing="reading the log of deliveries", params=params)
            page = [_read(entry) for entry in _listed(reply)]
            found += [each for each in page if each.delivered_at >= since]
            cursor = parse_qs(urlsplit(links(reply).get("next", "")).query).get("cursor")
            if cursor is None or (page and page[-1].delivered_at < since):
                break
            params["cursor"] = cursor[0]
        return found


def _listed(reply: Reply) -> list[Any]:
    data = reply.json()
    if not isinstance(data, list):
        raise OutsideError("GitHub's log of deliveries is no list", remedy="Check GITHUB_API_URL")
    return data


def _read(entry: Any) -> HookDelivery:
    try:
        return HookDelivery(
            id=int(entry["id"]),
            guid=str(entry["guid"]),
            event=str(entry["event"]),
            delivered_at=datetime.fromisoformat(str(entry["delivered_at"])).timestamp(),
            ok=200 <= int(entry["status_code"] or 0) < 300,
            redelivery=entry.get("redelivery") is True,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise OutsideError(
            f"An entry of GitHub's log of deliveries has the wrong form ({type(error).__name__})",
            remedy="Check GITHUB_API_URL",
        ) from error
