"""In which commit of ours the lines of a finding went away: for an answer where nothing is left to be mended.

Two commands of the same second may be about the same finding. Says nothing of what people pushed: whether that mended anything is
the review's to find out. It resolves no thread of which a review has not said that it is mended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot import log
from bot.commands import fix_words
from bot.commands.call import Call
from bot.commands.commits import quiet, to_undo
from bot.commands.model import Outcome
from bot.commands.ports import PullCommit
from bot.diff.model import Side
from bot.review.memory import KnownFinding, Thread
from bot.review.model import CommitSha
from bot.review.recall import FIXED, line_digest
from bot.review.render.markers import read_keys

LOOKED_AT = 5
"""So many of our commits are looked at, the newest first."""
_TOLD = 60
"""Characters of a title by which a commit's message is seen to be about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """A commit of ours that changed the lines of a finding."""

    commit: PullCommit
    meant: bool
    """Its message names the finding, so it was made for it."""


@dataclass(slots=True, kw_only=True)
class Mends:
    """Looks for several findings; reads each thing once. For one thread at a time."""

    call: Call
    _commits: list[PullCommit] | None = None
    _lines: dict[tuple[str, CommitSha], tuple[str, ...]] = field(default_factory=dict)

    def of(self, known: KnownFinding) -> Mended | None:
        """The newest commit of ours, not taken back since, behind which the finding's lines are fewer than before it."""
        note = known.note
        if note.side is not Side.RIGHT or not note.lines:
            return None
        if self._commits is None:
            self._commits = list(to_undo(self.call.desk.branch.commits()))[:LOOKED_AT]
        for commit in self._commits:
            after, before = (self._digests(note.path, at) for at in (commit.sha, commit.parents[0]))
            if _times(note.lines, after) < _times(note.lines, before):
                title = quiet(self.call.shapes.redact(note.title), 200)[:_TOLD].strip()
                return Mended(commit=commit, meant=bool(title) and title in commit.message)
        return None

    def _digests(self, path: str, at: CommitSha) -> tuple[str, ...]:
        key = (path, at)
        if key not in self._lines:
            data = self.call.desk.branch.file(path, at)
            text = "" if data is None else data.decode("utf-8", "surrogateescape")
            self._lines[key] = tuple(line_digest(line.removesuffix("\r")) for line in text.split("\n"))
        return self._lines[key]


def nothing_left(call: Call, mended: Mended) -> Outcome:
    """What was to be mended is. A thread that we left open for this very command's sake is resolved."""
    sha = mended.commit.sha
    thread = _held_open_by(call)
    if mended.meant and thread is not None:
        refused = call.desk.talk.resolve(thread)
        if refused:
            log.info("command.left_open", why=refused, **call.fields)
    url = call.answer(fix_words.mended(fix_words.link_in(call.desk.pull.url, sha), meant=mended.meant))
    return Outcome(what="answered", why=fix_words.mended_why(sha, meant=mended.meant), url=url)


def _held_open_by(call: Call) -> Thread | None:
    """The thread of the command, where we said behind it that all is mended and left it open for the command's sake alone."""
    thread = call.thread
    if thread is None or not thread.is_ours or thread.is_resolved:
        return None
    people = [at for at, said in enumerate(thread.comments) if not said.is_ours and not said.is_bot]
    fixed = [
        at
        for at, said in enumerate(thread.comments)
        if said.is_ours and any(key.startswith(FIXED) for key in read_keys(said.body, "step"))
    ]
    if not people or not fixed or thread.comments[people[-1]].id != call.ref.id:
        return None
    return thread if fixed[-1] > people[-1] else None


def _times(run: Sequence[str], lines: Sequence[str]) -> int:
    """How often these lines stand in a file."""
    wanted = tuple(run)
    return sum(tuple(lines[at : at + len(wanted)]) == wanted for at in range(len(lines) - len(wanted) + 1))
