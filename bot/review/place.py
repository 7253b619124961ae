"""Raw findings onto anchors. What the model claims is believed only as far as the diff bears it out.

A finding may lie only in the hunks of its own chunk: a text in one file cannot make findings appear at another file that
was reviewed in another call. Nothing is guessed here; re-anchoring by content is `bot.diff.anchors`' business.
"""

from __future__ import annotations

from bot.diff.anchors import Unresolved, resolve
from bot.diff.model import Anchor, FilePatch, Patch, Side
from bot.review.fingerprint import fingerprint
from bot.review.model import Finding, Misplaced, RawFinding, Votes
from bot.review.scope import Chunk
from bot.review.shown import visible

LEFT_SUGGESTION = "The suggestion was taken out: removed lines cannot be replaced."
HIDDEN_SUGGESTION = (
    "The suggestion was taken out: its lines hold characters that cannot be shown to a model as they are."
)


def place(raw: RawFinding, chunk: Chunk, patch: Patch) -> Finding | Misplaced:
    """The finding on its anchor. A suggestion in it is not proven yet; one on removed lines is taken out, with a note."""
    files = [patch.file(index) for index in dict.fromkeys(key.file for key in chunk.hunks)]
    named = _named(raw.path, files)
    if not named:
        if raw.path:
            return _misplaced(raw, raw.path, f"{raw.path} is not among the files that this answer was about")
        return _misplaced(raw, "", "it names no file, and the answer was about several")
    if not raw.start:
        return _misplaced(raw, named[0].path, "it names no line")
    own = frozenset(chunk.hunks)
    reason = ""
    for file in named:
        found = resolve(file, raw.start, raw.end, hunks=own)
        if isinstance(found, Unresolved):
            reason = reason or found.reason
            continue
        note = "" if raw.suggestion is None else _why_no_suggestion(found)
        return Finding(
            anchor=found,
            severity=raw.severity,
            category=raw.category,
            title=raw.title,
            body=raw.body,
            suggestion=None if note else raw.suggestion,
            proven=False,
            votes=Votes(in_favour=1, of=1),
            fingerprint=fingerprint(found, raw.category, file=file),
            source="model",
            note=note,
            passes=(raw.pass_name,),
        )
    return _misplaced(raw, named[0].path, reason)


def _why_no_suggestion(anchor: Anchor) -> str:
    """The note for an anchor that no suggestion may stand on; empty where one may."""
    if anchor.side is Side.LEFT:
        return LEFT_SUGGESTION
    lines = (line.removesuffix("\r") for line in anchor.text)
    return "" if all(visible(line) == line for line in lines) else HIDDEN_SUGGESTION


def _named(path: str, files: list[FilePatch]) -> list[FilePatch]:
    """The chunk's files that `path` means: several for a type change, which has two entries with one path."""
    if not path:
        return files if len({file.path for file in files}) == 1 else []
    exact = [file for file in files if path in {file.path, visible(file.path)}]
    if exact:
        return exact
    bare = path.strip().strip("`").removeprefix("./")
    for given in (bare, bare.removeprefix("a/"), bare.removeprefix("b/")):
        found = [file for file in files if given in {file.path, visible(file.path), file.old_path}]
        if found:
            return found
    return []


def _misplaced(raw: RawFinding, path: str, reason: str) -> Misplaced:
    return Misplaced(
        path=path,
        claimed=raw.start if raw.start == raw.end else f"{raw.start} to {raw.end}",
        reason=reason,
        severity=raw.severity,
        category=raw.category,
        title=raw.title,
        body=raw.body,
    )
