"""Hunks as a prompt shows them: tags, headers, scopes and imports; and how much of a call they take.

Printing costs far more than measuring: it parses the file. So a plan is made of sizes, and what surely fits is printed
when its call is made. It decides nothing about chunks; nothing is clipped but a line that no call could take.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bot.diff.anchors import LONG_LINE, show, tag
from bot.diff.model import FilePatch, FileStatus, Hunk, Line, LineKind
from bot.diff.syntax import language, surroundings
from bot.review.shown import BYTES_PER_TOKEN, tokens, visible

OVERLAP = 6
"""Lines that a part of a cut hunk has in common with the part before, so that a mistake on the seam is seen."""
LINE_CAP = 16_000
"""A longer changed line is shown shortened, and its file named as reviewed in part. About half a chunk."""
_HEAD_TAIL = 6_000

_WIDEST = 9
"""Bytes that one character takes at most where it is shown: a hidden one is named, `<U+E0041>`."""
_FILE_HEADER, _HUNK_HEADER = 120, 80
"""Bytes of a header, at most, without the path and the section."""
_TAG = 8
"""Bytes of a line beside its text and the digits of its number."""

HeadText = Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Estimated tokens of a file's hunks without what surrounds them: about, and at the very most."""

    about: int
    most: int


class Later:
    """A text that is made when it is first asked for, and once. For several threads."""

    __slots__ = ("_lock", "_make", "_text")

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._text: str | None = None

    def __call__(self) -> str:
        """The text. Raises what making it raises, each time."""
        with self._lock:
            if self._text is None:
                self._text = self._make()
            return self._text


def measured(file: FilePatch) -> Size:
    """What a file will take, from its lines alone; some nanoseconds a character."""
    names = len(file.path) + len(file.old_path or "")
    about, most = _FILE_HEADER + names, _FILE_HEADER + _WIDEST * names
    for hunk in file.hunks:
        text = "".join([line.text for line in hunk.lines])
        last = max(hunk.old_start + hunk.old_count, hunk.new_start + hunk.new_count)
        beside = _HUNK_HEADER + (_TAG + len(str(last))) * len(hunk.lines)
        about += beside + len(hunk.section) + _bytes(text)
        # A chat template's token is broken up by one more character.
        most += beside + _WIDEST * len(hunk.section) + text.count("<") + text.count("[")
        most += _bytes(text) if text.replace("\t", "").isprintable() else _WIDEST * len(text)
    return Size(about=_tokens(about), most=_tokens(most))


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _tokens(size: int) -> int:
    return int(size / BYTES_PER_TOKEN) + 1


def whole(file: FilePatch, *, head_text: HeadText, limit: int) -> str:
    """All hunks of a file. What surrounds them is left out where only they fit into `limit` tokens, or nothing does."""
    # Of a new file nothing is outside of the diff.
    text = None if file.status is FileStatus.ADDED else head_of(file, head_text)
    printed = _whole(file, text)
    return printed if text is None or tokens(printed) <= limit else _whole(file, None)


def _whole(file: FilePatch, text: str | None) -> str:
    hunks = (part for hunk in file.hunks for part in hunk_parts(hunk, path=file.path, text=text))
    return "\n".join((top_of(file, text).rstrip("\n"), *hunks))


def head_of(file: FilePatch, head_text: HeadText) -> str | None:
    """The file's text after the change, where it has one."""
    return None if file.status is FileStatus.REMOVED else head_text(file.path)


def top_of(file: FilePatch, text: str | None) -> str:
    """The file's header, and its imports where its text is known."""
    top = _file_header(file)
    if text is not None and file.hunks:
        imports = surroundings(text, file.path, file.hunks[0]).imports
        top += _numbered("imports", imports)
    return top


def _file_header(file: FilePatch) -> str:
    facts = [file.status.value]
    if file.old_path is not None:
        facts.append(f"was {_quoted(file.old_path)}")
    spoken = language(file.path)
    if spoken is not None:
        facts.append(spoken)
    if file.old_mode and file.new_mode and file.old_mode != file.new_mode:
        facts.append(f"mode {file.old_mode} to {file.new_mode}")
    return f"FILE {_quoted(file.path)} ({', '.join(facts)})\n"


def _quoted(path: str) -> str:
    """A path as JSON: what a file is called cannot end its header line."""
    return json.dumps(visible(path), ensure_ascii=False)


def _numbered(title: str, lines: Iterable[tuple[int, str]]) -> str:
    """Lines of the head that are not part of the diff: they have no tag, so nothing can be anchored to them."""
    body = "".join(f"  {number}| {visible(text)}\n" for number, text in lines)
    return f"{title}:\n{body}" if body else ""


def hunk_parts(hunk: Hunk, *, path: str, text: str | None, limit: int | None = None) -> list[str]:
    """A hunk in as many parts as the limit of tokens asks for, nearly always one; None: in one."""
    shown = [
        visible(as_shown) if len(line.text) <= LONG_LINE else _line(line)
        for line, as_shown in zip(hunk.lines, show(hunk), strict=True)
    ]
    head = _hunk_header(hunk, path=path, text=text)
    whole_hunk = "\n".join((head, *shown))
    if limit is None or tokens(whole_hunk) + len(shown) <= limit:
        return [whole_hunk]
    sizes = [tokens(line) for line in shown]
    if tokens(head) + sum(sizes) <= limit:
        return [whole_hunk]
    parts = _spans(sizes, room=max(1, limit - 2 * tokens(head)))
    printed = []
    for number, (start, end) in enumerate(parts, start=1):
        head = _hunk_header(_cut(hunk, start, end), path=path, text=text)
        printed.append("\n".join((f"{head}\n(part {number} of {len(parts)} of a hunk)", *shown[start:end])))
    return printed


def _line(line: Line) -> str:
    """A long line with its tag, whole: unlike `show`, up to `LINE_CAP`."""
    text = line.text
    if len(text) > LINE_CAP:
        missing = len(text) - 2 * _HEAD_TAIL
        text = f"{text[:_HEAD_TAIL]} …[{missing:,} characters not shown]… {text[-_HEAD_TAIL:]}"
    return visible(f"{line.kind}{tag(line)}|{text}".removesuffix("\r"))


def _spans(sizes: Sequence[int], *, room: int) -> list[tuple[int, int]]:
    """Ranges of lines, each within `room`, that together have every line; a single line may be over it."""
    spans = []
    start = end = 0
    while end < len(sizes):
        used = sum(sizes[start:end])
        if used + sizes[end] > room:
            # The lines in common must not crowd out the first new one.
            start, used = end, 0
        first_new = end
        while end < len(sizes) and (end == first_new or used + sizes[end] <= room):
            used += sizes[end]
            end += 1
        spans.append((start, end))
        start = max(first_new + 1, end - OVERLAP)
    return spans


def _cut(hunk: Hunk, start: int, end: int) -> Hunk:
    """A part of a hunk as a hunk, to find the scopes it lies in."""
    before, lines = hunk.lines[:start], hunk.lines[start:end]
    old, new = (_count(before, LineKind.ADDED), _count(before, LineKind.REMOVED))
    return replace(
        hunk,
        lines=lines,
        old_start=hunk.old_start + old,
        new_start=hunk.new_start + new,
        old_count=_count(lines, LineKind.ADDED),
        new_count=_count(lines, LineKind.REMOVED),
    )


def _count(lines: Iterable[Line], missing: LineKind) -> int:
    """Lines on the side on which lines of the kind `missing` are not."""
    return sum(line.kind is not missing for line in lines)


def _hunk_header(hunk: Hunk, *, path: str, text: str | None) -> str:
    scopes = () if text is None else surroundings(text, path, hunk).scopes
    old = f"{hunk.old_start}-{hunk.old_start + max(0, hunk.old_count - 1)}"
    new = f"{hunk.new_start}-{hunk.new_start + max(0, hunk.new_count - 1)}"
    head = f"@@ old lines {old}, new lines {new} @@"
    if scopes:
        return f"{head}\n{_numbered('inside', scopes)}".rstrip("\n")
    return f"{head} {visible(hunk.section)}".rstrip()
