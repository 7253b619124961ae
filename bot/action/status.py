"""The verdict of a run as a commit status, where the token may write one.

The job's own exit code gates the run of a push. A comment's run stands elsewhere, and a commit made with a workflow's token starts
no run at all: there the status is what a team can require. Decides no verdict: it says what the run's end says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from bot import log
from bot.action import ending
from bot.action.ending import Ending
from bot.github.client import GitHubClient
from bot.github.statuses import State, post_status
from bot.review.model import CommitSha, RepoName, Verdict
from bot.review.ports import Stop

_STATES: Final = {ending.PASSED: State.SUCCESS, ending.GATE_FAILED: State.FAILURE}


def status_of(end: Ending) -> tuple[State, str]:
    """State and description. What is no verdict and fails the job all the same is an error; a neutral that passes says so."""
    reason = end.reason if end.verdict is not Verdict.NEUTRAL else f"neutral: {end.reason}"
    return _STATES.get(end.exit_code, State.ERROR), reason


def run_url(env: Mapping[str, str]) -> str:
    """The page of this run of the workflow; empty where the runner does not say which it is."""
    server, repo, run = (env.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if not (server.startswith(("https://", "http://")) and repo and run.isascii() and run.isdigit()):
        return ""
    return f"{server.rstrip('/')}/{quote(repo)}/actions/runs/{run}"


def tell_status(
    client: GitHubClient,
    env: Mapping[str, str],
    repo: RepoName,
    sha: CommitSha,
    end: Ending,
    *,
    stop: Stop,
    fields: Mapping[str, log.Field] | None = None,
) -> bool:
    """Put the end of a run on the commit that it is about. False where that may not be done: see `post_status`."""
    state, reason = status_of(end)
    return post_status(
        client, repo, sha, state=state, description=reason, target_url=run_url(env), stop=stop, fields=fields
    )
