"""The commits that commands make: what their messages say, and how one is known again. Pure.

Every commit carries `Spark-Command: <key of the comment>`, so that a command that was killed behind its commit finds it
and makes no second one. A message never carries what starts or stops something on GitHub: no `#12` (which would close an
issue), no `@name`, no `[skip ci]`, whatever a file or a finding is called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bot.commands.model import CommentRef
from bot.commands.ports import PullCommit
from bot.review.model import CommitSha
from bot.review.recall import COMMITTED
from bot.review.render.characters import clean, shorten
from bot.review.render.markers import step_marker
from bot.review.render.redact import Redactor

COMMAND, UNDO = "Spark-Command", "Spark-Undo"
_TRAILER = re.compile(rf"({COMMAND}|{UNDO}): ([A-Za-z0-9._-]{{1,100}})")
_LOUD = re.compile(r"[^\w ./,()'+=-]")
_CLOSING = re.compile(r"\bGH-(?=\d)", re.IGNORECASE)
HEADLINE = 72
FORBIDDEN = ".github"


def forbidden(path: str) -> bool:
    """Whether we never commit to this file: a workflow there runs with the repository's rights, and our rules stand there."""
    parts = [part for part in path.replace("\\", "/").casefold().split("/") if part not in {"", "."}]
    return parts[:1] == [FORBIDDEN] or ".git" in parts or ".." in parts


def new_secret(redactor: Redactor, old: str, lines: Sequence[str]) -> bool:
    """Whether new lines have a secret that the file does not have."""
    known = {line.strip() for line in old.split("\n")}
    fresh = [line for line in lines if line.strip() not in known]
    return any(redactor.has_secret(line) for line in fresh) or redactor.has_secret("\n".join(fresh))


def quiet(text: str, limit: int) -> str:
    """Untrusted text for a commit message: one line of plain characters that no tool takes for an order."""
    flat = " ".join(_LOUD.sub(" ", clean(text)).split())
    return shorten(_CLOSING.sub("GH ", flat), limit)


def message(
    headline: str, lines: Sequence[str], ref: CommentRef, *, undoes: CommitSha | None = None
) -> tuple[str, str]:
    """Headline and body of a commit: `headline` and `lines` may have untrusted text in them; the trailers stand last."""
    trailers = [f"{COMMAND}: {ref.key}", *([f"{UNDO}: {undoes}"] if undoes else [])]
    told = "\n".join(quiet(line, 200) for line in lines)
    return quiet(headline, HEADLINE), "\n\n".join(part for part in (told, "\n".join(trailers)) if part)


def earlier(commits: Sequence[PullCommit], ref: CommentRef) -> PullCommit | None:
    """The commit that an earlier run of the same command made."""
    return next((commit for commit in reversed(commits) if commit.is_ours and ref.key in _of(commit, COMMAND)), None)


def committed_mark(sha: CommitSha) -> str:
    """Behind the answer in a finding's thread that its change is committed: when the next review has seen that it is mended, it
    says so in that very comment, which notifies nobody.
    """
    return f"\n\n{step_marker(f'{COMMITTED}{sha[:12]}')}"


def to_undo(commits: Sequence[PullCommit]) -> Iterator[PullCommit]:
    """Our commits that can be undone, the newest first: no merges, none that undoes one, none that was undone.

    Only what GitHub signed counts: anybody may push a commit with our name and our trailer in it, and taking that back would
    be a commit of ours with whatever its author had prepared.
    """
    ours = [commit for commit in commits if commit.is_ours and commit.is_signed and _of(commit, COMMAND)]
    undone = {sha for commit in ours for sha in _of(commit, UNDO)}
    for commit in reversed(ours):
        if len(commit.parents) == 1 and not _of(commit, UNDO) and commit.sha not in undone:
            yield commit


def _of(commit: PullCommit, name: str) -> set[str]:
    """The values of a trailer of ours: they stand in the last paragraph, each on a line of its own."""
    last = commit.message.replace("\r\n", "\n").rstrip().rpartition("\n\n")[2]
    found = (_TRAILER.fullmatch(line.strip()) for line in last.split("\n"))
    return {match[2] for match in found if match is not None and match[1] == name}
