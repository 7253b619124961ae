"""What a `/spark fix` is about: which file, which lines, what is wrong there, and a patch that is proven already.

It reads and decides; it asks no model and writes nothing. A file that cannot be edited safely (binary, a link, not in the
change) is refused with its reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from bot.commands.call import Call
from bot.commands.edits import SourceLine, source_lines, tagged
from bot.commands.fix_words import no_problem
from bot.commands.mended import Mended, Mends
from bot.commands.permit import WRITERS
from bot.commands.prompt_fix import Problem
from bot.diff.anchors import anchor_lines, show
from bot.diff.edit import Proven, prove
from bot.diff.model import Anchor, FilePatch, FileStatus, Patch, Side, is_binary
from bot.errors import NotPermittedError, OutsideError
from bot.review.children import read_child
from bot.review.memory import KnownFinding, Said, Thread
from bot.review.model import CommitSha
from bot.review.ports import Opened
from bot.review.recall import line_digests
from bot.review.render.markers import split_ending
from bot.review.whereabouts import Fate, Placed, place_known, report_text

LINK_MODE = "120000"
MOST_ASKED = 5
"""Of a thread's people, of whom it is asked what they may do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """There is nothing that could be edited. `reason` follows `because`; `answer` is the whole answer where it needs more."""

    reason: str
    answer: str = ""
    mended: Mended | None = None
    """The code is gone in a commit of ours: nothing went wrong, there is nothing left to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A file and what is to be done in it."""

    path: str
    text: str
    """The file at the head."""
    head: CommitSha
    file: FilePatch | None
    """The file in the pull's diff; None when it is not in it any more."""
    thread: Anchor | None
    """The lines that the thread stands on now, where a suggestion in it would be applied."""
    near: tuple[int, int] | None
    place: str
    problems: tuple[Problem, ...]
    conversation: str
    instruction: str
    patch: Proven | None = None
    """What a finding of ours carries, proven again on this head."""
    patched: Anchor | None = None
    """The lines that `patch` replaces."""
    title: str = ""
    """Of the finding, for the commit's message; untrusted."""

    @property
    def lines(self) -> tuple[SourceLine, ...]:
        """The file's lines."""
        return source_lines(self.text)


def head_text(call: Call, opened: Opened, path: str) -> str | Refused:
    """A file of the pull's head that can be edited."""
    file = file_of(opened.change.patch, path)
    if file is not None and (file.submodule or LINK_MODE in {file.new_mode, file.old_mode}):
        return Refused(reason=f"{path} is {'a submodule' if file.submodule else 'a symbolic link'}")
    if file is not None and file.status is FileStatus.REMOVED:
        return Refused(reason=f"{path} is removed by this pull request")
    text = opened.files.text(path)
    if text is None:
        data = call.desk.branch.file(path, head_of(opened))
        if data is None:
            return Refused(reason=f"there is no file {path} at the head of this pull request")
        text = data.decode("utf-8", "surrogateescape")
    if "\0" in text or is_binary(text[:8_000].encode("utf-8", "surrogateescape")):
        return Refused(reason=f"{path} is a binary file")
    return text


def head_of(opened: Opened) -> CommitSha:
    """The head that the change was read at."""
    pull = opened.change.pull
    return pull.head_sha if pull is not None else CommitSha(opened.change.head)


def file_of(patch: Patch, path: str) -> FilePatch | None:
    """The file of the change that has this name now."""
    found = [file for file in patch.files if file.path == path]
    return found[-1] if found else None


def named_file(patch: Patch, rest: str) -> tuple[str, str] | None:
    """The file of the change that the words begin with, and the words behind it. Quotes and backticks around it are fine."""
    text = rest.strip()
    for quote in "`\"'":
        if text.startswith(quote) and quote in text[1:]:
            name, _, behind = text[1:].partition(quote)
            text = f"{name} {behind.strip()}"
            break
    paths = sorted({file.path for file in patch.files if file.status is not FileStatus.REMOVED}, key=len, reverse=True)
    for path in paths:
        if text == path or (text.startswith(path) and text[len(path)].isspace()):
            return path, text[len(path) :].strip()
    return None


def in_file(call: Call, opened: Opened, path: str, instruction: str) -> Target | Refused:
    """What somebody asks for in the conversation, about a whole file."""
    text = head_text(call, opened, path)
    if isinstance(text, Refused):
        return text
    return Target(
        path=path,
        text=text,
        head=head_of(opened),
        file=file_of(opened.change.patch, path),
        thread=None,
        near=None,
        place="",
        problems=(),
        conversation="",
        instruction=instruction,
    )


def in_thread(call: Call, opened: Opened, thread: Thread) -> Target | Refused:
    """What a thread is about, with an instruction or without."""
    instruction = call.rest.strip()
    placed = _placed(call, call.known, opened) if call.known is not None else None
    if placed is not None and placed.fate is Fate.CHANGED and not instruction:
        return Refused(
            mended=Mends(call=call).of(placed.known),
            reason="the code that this finding was about has changed since; if it is still wrong, say what is to be done"
            " behind the command, as in `/spark fix close the file as well`",
        )
    path = _path(thread, placed, opened.change.patch)
    text = head_text(call, opened, path)
    if isinstance(text, Refused):
        return text
    file = file_of(opened.change.patch, path)
    on = _thread_anchor(thread, file)
    stands = placed.finding.anchor if placed is not None and placed.finding is not None else None
    problems = _problems(call, thread)
    if not instruction and not problems:
        return Refused(reason="the thread says nothing, and nothing was asked for", answer=no_problem())
    whole_file = thread.line is None and thread.original_line is None and not thread.is_outdated
    if on is None and placed is None and not instruction and not whole_file:
        return Refused(
            reason="this thread is outdated: the lines it was about have changed; say what is to be done behind the command"
        )
    at = stands or on
    near = _near(at, file, placed)
    patched, patch = (None, None) if instruction else _patch(call, thread, stands, on, text)
    return Target(
        path=path,
        text=text,
        head=head_of(opened),
        file=file,
        thread=on if on is not None and on.side is Side.RIGHT else None,
        near=near,
        place=_place(at, file, source_lines(text), near),
        problems=problems,
        conversation=_conversation(call, thread),
        instruction=instruction,
        patch=patch,
        patched=patched,
        title=call.known.note.title if call.known is not None else "",
    )


def _placed(call: Call, known: KnownFinding, opened: Opened) -> Placed | None:
    # Lines that say the same are shared out among all findings of a file, so all of them are placed.
    beside = [one for one in call.recall.findings if one.note.path == known.note.path]
    found = place_known(beside, opened.change.patch, opened.files.text)
    return next((placed for placed in found if placed.known.thread.id == known.thread.id), None)


def _path(thread: Thread, placed: Placed | None, patch: Patch) -> str:
    """The file's name now: it may have been renamed since the comment was written."""
    if placed is not None:
        return placed.path
    if file_of(patch, thread.path) is None:
        return next((file.path for file in patch.files if file.old_path == thread.path), thread.path)
    return thread.path


def _thread_anchor(thread: Thread, file: FilePatch | None) -> Anchor | None:
    if thread.line is None or file is None:
        return None
    found = anchor_lines(file, thread.side, thread.start_line or thread.line, thread.line)
    return found if isinstance(found, Anchor) else None


def _near(at: Anchor | None, file: FilePatch | None, placed: Placed | None) -> tuple[int, int] | None:
    if at is not None and at.side is Side.RIGHT:
        return at.start_line, at.line
    if at is not None and file is not None:
        start = max(1, file.hunks[at.hunk.hunk].new_start)
        return start, start
    return (placed.near, placed.near) if placed is not None and placed.near > 0 else None


def _place(
    at: Anchor | None, file: FilePatch | None, lines: tuple[SourceLine, ...], near: tuple[int, int] | None
) -> str:
    if at is not None and at.side is Side.LEFT and file is not None:
        hunk = file.hunks[at.hunk.hunk]
        rows = zip(hunk.lines, show(hunk), strict=True)
        return "\n".join(
            row for line, row in rows if line.side is Side.LEFT and at.start_line <= line.number <= at.line
        )
    if near is None:
        return ""
    return tagged(lines, range(max(1, near[0]), min(near[1], len(lines)) + 1))


def _patch(
    call: Call, thread: Thread, stands: Anchor | None, on: Anchor | None, text: str
) -> tuple[Anchor | None, Proven | None]:
    """Our own suggestion with the lines that it replaces, when it still holds: the finding's, or what this thread was begun for."""
    child, known = read_child(thread), call.known
    if child is not None:
        holds = on is not None and child.lines == line_digests(on.text)
        at, suggestion = (on if holds else None), child.suggestion
    else:
        at, suggestion = stands, None if known is None else known.note.suggestion
    if at is None or suggestion is None:
        return None, None
    proven = prove(text, at, suggestion)
    return (at, proven) if isinstance(proven, Proven) else (None, None)


def _problems(call: Call, thread: Thread) -> tuple[Problem, ...]:
    first = (call.parent or thread).comments[0]
    if call.known is not None:
        note = call.known.note
        text = report_text(first.body)
        return (
            Problem(label=f"{note.severity} {note.category}", title=note.title, body=text, patch=note.suggestion or ""),
        )
    text = split_ending(first.body)[0].strip()
    if first.id == call.ref.id or not text:
        return ()
    return (Problem(label="", title="", body=text),)


def only_heard(call: Call, thread: Thread) -> bool:
    """Whether nobody but us and those whose words may shape a commit has said anything in the thread."""
    others = {comment.login for comment in _comments(call, thread) if not comment.is_ours}
    return others <= _heard(call, others)


def _comments(call: Call, thread: Thread) -> list[Said]:
    """What was said about it: of a suggestion beside its thread, what was said there comes first."""
    return [*(call.parent.comments[1:] + thread.comments if call.parent is not None else thread.comments[1:])]


def _conversation(call: Call, thread: Thread) -> str:
    told = [comment for comment in _comments(call, thread) if comment.id != call.ref.id]
    if call.command is not None and call.command.commit:
        # Nobody looks at a commit before it is made, so words of strangers have no part in it.
        heard = _heard(call, {comment.login for comment in told if not comment.is_ours})
        told = [comment for comment in told if comment.is_ours or comment.login in heard]
    return "\n".join(_said(comment.login, split_ending(comment.body)[0].split("\n")) for comment in told)


def _heard(call: Call, logins: Collection[str]) -> set[str]:
    """Whose words may shape a commit: of whoever asks for it, of the branch's owner, of those who may write."""
    near = {call.sender.lower(), call.desk.pull.author.lower()}
    out = {login for login in logins if login and login.lower() in near}
    for login in sorted(set(logins) - out - {""})[:MOST_ASKED]:
        try:
            if call.desk.people.role(login) in WRITERS:
                out.add(login)
        except (OutsideError, NotPermittedError):
            # Who cannot be asked about is not heard.
            continue
    return out


def _said(login: str, lines: Iterable[str]) -> str:
    return f"{login or 'somebody'}: " + "\n  ".join(line.rstrip() for line in lines)
