"""A commit status: one word, one sentence and a link on a commit, for a run that has no check run of its own.

A workflow's token may write check runs too, but GitHub hangs them onto the suite of any workflow of that commit; a status
stands by itself. A token that may not write statuses is no fault here: it is told by the result.
Source: GitHub's docs, "REST API endpoints for commit statuses".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from bot import log
from bot.errors import SparkError
from bot.github import limits
from bot.github.client import GitHubClient
from bot.github.faults import Cut, Reply, error_for, rate_wait
from bot.review.model import CommitSha, RepoName
from bot.review.ports import Stop

CONTEXT: Final = "spark"
"""The name that a team requires."""
LONGEST: Final = 140
"""Characters of a description."""
PERMISSION: Final = "statuses: write"


class State(StrEnum):
    """What a status says, in GitHub's words. A required one lets nothing but `success` through."""

    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    PENDING = "pending"


def post_status(
    client: GitHubClient,
    repo: RepoName,
    sha: CommitSha,
    *,
    state: State,
    description: str,
    target_url: str,
    context: str = CONTEXT,
    stop: Stop,
    fields: Mapping[str, log.Field] | None = None,
) -> bool:
    """Put a status on a commit; the newest of a context counts. False where the token may not, or GitHub does not take it.

    `target_url`: where more is told; empty for none. Raises nothing for what GitHub answers; the reason is in the log.
    """
    body = {"state": state.value, "description": one_line(description), "context": context}
    if target_url:
        body["target_url"] = target_url
    try:
        answer = _send(client, f"/repos/{repo}/statuses/{sha}", body, stop)
    except SparkError as error:
        log.warning("github.no_status", why=str(error), **(fields or {}))
        return False
    if isinstance(answer, Reply) and answer.ok:
        return True
    why = error_for(answer, doing=f"putting a status on {repo}@{sha[:10]}", needs="statuses=write")
    if isinstance(answer, Reply) and answer.status in {403, 404} and rate_wait(answer) is None:
        # Usual: who does not want a status does not give the permission.
        log.info("github.no_status", why=str(why), **(fields or {}))
    else:
        log.warning("github.no_status", why=str(why), **(fields or {}))
    return False


def one_line(text: str) -> str:
    """A description as GitHub takes it: one line of the basic plane, cut with a word's mark where it is too long."""
    flat = " ".join("".join(mark if mark.isprintable() and mark <= "\uffff" else " " for mark in text).split())
    return flat if len(flat) <= LONGEST else f"{flat[: LONGEST - 1].rstrip()}…"


def _send(client: GitHubClient, path: str, body: Mapping[str, str], stop: Stop) -> Reply | Cut:
    """Twice is the same as once, so what was lost is sent again."""
    answer: Reply | Cut = Cut(reason="not sent")
    for _ in range(limits.STEP_TRIES):
        answer = client.call("POST", path, stop=stop, body=body)
        if isinstance(answer, Reply) and answer.status < 500:
            wait = rate_wait(answer)
            if wait is None or not client.pause(stop, wait):
                return answer
        if stop.left() <= 0:
            break
    return answer
