"""What a call that talks is shown of the pull: the thread with its file and its diff, or as much of the change as fits.

Reads only; nothing is left out without a word to the model, so that it can say what it did not see.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands.call import Call
from bot.commands.prompt_talk import Shown
from bot.commands.talk_place import place_of
from bot.diff.model import FilePatch, HunkKey
from bot.review.filters import sort_out
from bot.review.memory import CommentId, Thread
from bot.review.model import Change
from bot.review.plan import PlanBudget, make_plan
from bot.review.ports import Opened
from bot.review.render.markers import split_ending
from bot.review.scope import Chunk
from bot.review.shown import visible

ATTRIBUTES_PATH = ".gitattributes"
THREAD_TOKENS = 12_000
"""Of the diff of the thread's file."""
CHANGE_TOKENS = 40_000
"""Of the whole change, for a question in the conversation."""
MOST_FILES = 300
"""Files that the list of the change names."""
OURS = "Spark"


def in_thread(call: Call, thread: Thread, opened: Opened) -> Shown:
    """The thread: its file around the place of now, the file's diff, what was said before the comment."""
    change = opened.change
    place = place_of(call, thread, opened)
    diff, left_out = ("", False) if place.file is None else _of_file(change, place.file, place.hunk)
    missing = list(place.told)
    if place.file is None:
        missing.append("The file of the thread is not part of the change any more.")
    if left_out:
        missing.append("The diff of the file is shown in part; the rest did not fit.")
    if place.text is None:
        missing.append("The file as a whole could not be read.")
    return Shown(
        title=change.title,
        file_text=place.text,
        near=place.near,
        lines=place.lines,
        was=place.was,
        change=diff,
        missing=" ".join(missing),
        report=_report(call, thread),
        said=_said(thread, call.ref.id),
    )


def in_conversation(call: Call, opened: Opened) -> Shown:
    """The change as a whole: the list of its files, and the diff of as many as fit; lock files and the like do not count."""
    change = opened.change
    attributes = opened.base_texts.get(ATTRIBUTES_PATH, "")
    kept, _ = sort_out(change.patch, call.config, attributes, head_text=lambda _path: None)
    chunks, whole = _fitting(_chunks(change, kept), CHANGE_TOKENS)
    printed = {path for chunk in chunks for path in chunk.paths}
    is_all = whole and len(printed) == len(change.patch.files)
    return Shown(
        title=change.title,
        description=change.description,
        files=_listed(change, printed),
        change="\n\n".join(chunk.text for chunk in chunks),
        missing="" if is_all else "The data named `files` lists the change; not all of it is shown.",
    )


def _of_file(change: Change, file: FilePatch, hunk: HunkKey | None) -> tuple[str, bool]:
    """The diff of one file, from the part with `hunk` on; and whether some of it is left out."""
    chunks = _chunks(change, [file])
    first = next((at for at, chunk in enumerate(chunks) if hunk in chunk.hunks), 0)
    shown, whole = _fitting([*chunks[first:], *chunks[:first]], THREAD_TOKENS)
    return "\n\n".join(chunk.text for chunk in shown), not whole


def _chunks(change: Change, files: Sequence[FilePatch]) -> list[Chunk]:
    """The hunks of these files in the order of the diff, a file a chunk, without looking into the files themselves."""
    budget = PlanBudget(streams=max(1, len(files)))
    plan = make_plan(change, files, (), head_text=lambda _path: None, budget=budget)
    return sorted(plan.chunks, key=lambda chunk: min(chunk.hunks))


def _fitting(chunks: Sequence[Chunk], room: int) -> tuple[list[Chunk], bool]:
    """As many of the chunks as fit, the first one in any case; and whether that is all of them."""
    kept: list[Chunk] = []
    for chunk in chunks:
        if not kept or chunk.tokens <= room:
            kept.append(chunk)
            room -= chunk.tokens
    return kept, len(kept) == len(chunks)


def _listed(change: Change, printed: set[str]) -> str:
    files = change.patch.files
    rows = [
        f"{visible(file.path)} ({file.status.value}, +{file.added} -{file.removed})"
        + ("" if file.path in printed else " (not shown)")
        for file in files[:MOST_FILES]
    ]
    more = [f"({len(files) - MOST_FILES} more files)"] if len(files) > MOST_FILES else []
    return "\n".join([*rows, *more])


def _report(call: Call, thread: Thread) -> str:
    """What our first comment says; empty in a person's thread."""
    if not thread.is_ours:
        return ""
    text, _ = split_ending(thread.comments[0].body)
    if call.known is None:
        return text
    note = call.known.note
    return f"{note.severity} {note.category}: {note.title}\n{text}"


def _said(thread: Thread, upto: CommentId) -> list[tuple[str, str]]:
    """What was said before the comment `upto`; without our report, which stands by itself."""
    said = []
    for at, comment in enumerate(thread.comments):
        if comment.id == upto:
            break
        if at or not thread.is_ours:
            said.append((OURS if comment.is_ours else comment.login, split_ending(comment.body)[0]))
    return said
