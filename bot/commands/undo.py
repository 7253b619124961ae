"""`/spark undo`: the last commit of ours that still stands is reverted, file by file, in one commit.

What came after it on other lines stays. What came after it on the same lines is a person's to sort out: then nothing is
changed, and the files are named. An undo is not undone: the next `/spark undo` takes the commit before.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bot.commands import answers, fix_words
from bot.commands.call import Call
from bot.commands.commits import earlier, message, to_undo
from bot.commands.model import Outcome, Reaction, Verb
from bot.commands.ports import CommitDraft, Committed, PullCommit
from bot.review.model import CommitSha

FETCHES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reverted:
    """What a revert comes to."""

    files: Mapping[str, bytes | None]
    """Those that change."""
    conflicts: tuple[str, ...]


def undo(call: Call) -> Outcome:
    """Revert our last commit."""
    desk = call.desk
    if not desk.pull.is_open:
        return _refused(call, answers.closed(Verb.UNDO), "the pull request is closed")
    commits = desk.branch.commits()
    made = earlier(commits, call.ref)
    if made is not None:
        url = call.answer(fix_words.undone_before(fix_words.link_in(desk.pull.url, made.sha)))
        return Outcome(what="committed", why="undone before", url=url, commit=made.sha)
    head = desk.branch.head()
    for commit in to_undo(commits):
        reverted = _revert(call, commit, head)
        undoes = fix_words.link_in(desk.pull.url, commit.sha)
        if reverted.conflicts:
            body = fix_words.changed_since(undoes, reverted.conflicts, call.shapes)
            return _refused(call, body, "its lines were changed since")
        if reverted.files:
            return _commit(call, commit, head, reverted.files, undoes)
        # Somebody took it back by hand (or it was rebased away with its undo): the one before is the last that stands.
    return _refused(call, fix_words.nothing_to_undo(), "nothing to undo")


def _revert(call: Call, commit: PullCommit, head: CommitSha) -> _Reverted:
    paths = list(call.desk.branch.changed_paths(commit.sha))
    with ThreadPoolExecutor(max_workers=FETCHES, thread_name_prefix="undo") as pool:
        results = list(pool.map(lambda path: _reverted(call, commit, head, path), paths))
    files = {
        path: new
        for path, result in zip(paths, results, strict=True)
        if result is not None
        for old, new in [result]
        if old != new
    }
    conflicts = tuple(path for path, result in zip(paths, results, strict=True) if result is None)
    return _Reverted(files=files, conflicts=conflicts)


def _reverted(call: Call, commit: PullCommit, head: CommitSha, path: str) -> tuple[bytes | None, bytes | None] | None:
    """The file now and as it is to be; None when its lines were changed after the commit."""
    branch = call.desk.branch
    ours = branch.file(path, head)
    base = ours if commit.sha == head else branch.file(path, commit.sha)
    theirs = branch.file(path, commit.parents[0])
    if ours == base:
        return ours, theirs
    if ours == theirs:
        return ours, ours
    if ours is None or base is None or theirs is None:
        return None
    merged = call.desk.merge3(base, ours, theirs)
    return None if merged is None else (ours, merged)


def _commit(call: Call, commit: PullCommit, head: CommitSha, files: Mapping[str, bytes | None], undoes: str) -> Outcome:
    branch = call.desk.branch
    if reason := branch.blocked():
        return _refused(call, fix_words.not_undone(undoes, reason, call.shapes), reason)
    headline, body = message(
        f"Undo {fix_words.short(commit.sha)}",
        [f"Takes back: {commit.message.partition(chr(10))[0]}"],
        call.ref,
        undoes=commit.sha,
    )
    result = branch.commit(CommitDraft(expected_head=head, headline=headline, body=body, files=files))
    if not isinstance(result, Committed):
        return _refused(call, fix_words.not_undone(undoes, result.reason, call.shapes), result.reason)
    link = fix_words.commit_link(result.sha, result.url)
    url = call.answer(fix_words.undone(link, undoes, list(files), call.shapes))
    call.react(Reaction.DONE)
    why = f"took back {fix_words.short(commit.sha)}"
    return Outcome(what="committed", why=why, url=url, commit=result.sha)


def _refused(call: Call, body: str, why: str) -> Outcome:
    url = call.answer(body)
    call.react(Reaction.NO)
    return Outcome(what="refused", why=why, url=url)
