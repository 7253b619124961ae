"""A job as the pages show it: a review of a pull, a command of somebody's, or short work on a head.

What somebody wrote is masked here, as titles are before they are stored: the job itself needs the words as they are.
"""

from __future__ import annotations

from typing import Any, Final

from bot.commands.model import Command, CommentKind, NearMiss
from bot.diff.model import Patch
from bot.engine.model import Ended, Job
from bot.hooks.orders import AnswerComment, AnswerGroup, ReviewHead, ReviewPull
from bot.html.live_page import JobView
from bot.review.render.safe import Redactor

_LONGEST: Final = 200
"""Characters of a command or a reply that a page shows."""
_ANCHORS: Final = {
    CommentKind.CONVERSATION: "issuecomment-",
    CommentKind.THREAD: "discussion_r",
    CommentKind.REVIEW: "pullrequestreview-",
}
"""Of a comment on GitHub's page of its pull."""


def job_view(job: Job, github_url: str, ended: Ended | None = None) -> JobView:
    """What a page says of the job itself. `github_url`: where links to pull requests lead."""
    work, number = job.work, job.number
    head = "" if isinstance(work, AnswerComment) else work.head_sha
    place = f"{github_url}/{job.repo}/"
    return JobView(
        id=job.id,
        repo=job.repo,
        number=number,
        title=_title(job),
        author=_author(job),
        head=head,
        state=job.state.value,
        why=job.why,
        attempt=job.attempt,
        url=place + (f"pull/{number}{_anchor(job)}" if number else f"commit/{head}"),
        review_url=job.url,
        created_at=job.created_at,
        seconds=job.ended_at - job.created_at if job.ended_at is not None else None,
        verdict=job.verdict,
        findings=job.findings,
        usd=job.usd,
        error=job.error,
        delivery=job.delivery,
        waited=max(0.0, job.started_at - job.created_at) if job.started_at is not None else 0.0,
        timing=ended.timing if ended is not None else {},
        is_command=isinstance(work, AnswerComment),
        outcome=job.outcome,
    )


def command_json(job: Job) -> dict[str, Any] | None:
    """What a program is told of a command; None for every other job."""
    if not isinstance(job.work, AnswerComment):
        return None
    return {"asked": asked(job.work), "by": job.work.sender, "outcome": job.outcome}


def asked(work: AnswerComment) -> str:
    """What somebody wrote, in one line: the command as we understood it, or the beginning of a reply."""
    said = work.text
    match work.command:
        case Command() as command:
            flags = (*(["all"] if command.everything else []), *(["--commit"] if command.commit else []))
            said = " ".join(["/spark", command.verb.value, *flags, command.rest])
        case NearMiss() as miss:
            said = miss.wrote if miss.wrote.startswith("/") else f"/spark {miss.wrote}"
    # Masked before it is cut: half of a secret would not be known for one.
    line = " ".join(Redactor(Patch(files=())).redact(said).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _title(job: Job) -> str:
    match job.work:
        case ReviewPull() as work:
            return work.title
        case AnswerComment() as work:
            return asked(work)
        case AnswerGroup() as work:
            return f"Merge group {work.head_sha[:7]}"
        case ReviewHead() as work:
            return f"Open pulls with the head {work.head_sha[:7]}"


def _author(job: Job) -> str:
    match job.work:
        case ReviewPull() as work:
            return work.author
        case AnswerComment() as work:
            return work.sender
        case _:
            return ""


def _anchor(job: Job) -> str:
    if not isinstance(job.work, AnswerComment):
        return ""
    comment = job.work.comment
    return f"#{_ANCHORS[comment.kind]}{comment.id}"
