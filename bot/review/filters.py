"""Which files of a patch are worth a review. The others are named with their reason; none is left out in silence.

Every file and every unreadable section of the patch is either kept or in a skip, exactly once. What decides, in this
order: what the change is (binary, submodule, no lines), the configuration, `.gitattributes` of the base, names, and a
generator's marker at the top of the file. A marker that this very change brings into an existing file does not count:
otherwise one comment line would hide a change from the review.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

from bot.diff.model import FilePatch, FileStatus, Line, LineKind, Patch, Side
from bot.review.attributes import Attributes
from bot.review.config import RepoConfig, glob_spec
from bot.review.known_files import (
    GENERATED_NAME,
    LOCK_FILES,
    LOCK_NAME,
    MARKER_LINES,
    MINIFIED_NAME,
    VENDORED_PATH,
    is_marker,
)
from bot.review.scope import Skip, SkipReason

LONG_LINE = 1_000
"""Characters, runs of white space counted as one, from which a line is no longer written by hand."""
LONG_SHARE = 0.8
"""A file is minified when this share of its changed lines is long; one long line among others hides nothing."""

_Why = tuple[SkipReason, str]


def sort_out(
    patch: Patch, config: RepoConfig, attributes: str, *, head_text: Callable[[str], str | None]
) -> tuple[tuple[FilePatch, ...], tuple[Skip, ...]]:
    """Files to review, and the others with the reason; both in the order of the diff.

    `attributes` is the text of the base's root `.gitattributes`, empty where there is none. `head_text` is asked only
    for files that nothing cheaper decides.
    """
    sieve = _Sieve(
        ignore=glob_spec(config.paths.ignore),
        include=glob_spec(config.paths.include) if config.paths.include else None,
        attributes=Attributes(attributes),
        head_text=head_text,
    )
    kept = []
    skips: list[tuple[int, Skip]] = []
    for file in patch.files:
        why = sieve.why_not(file)
        if why is None:
            kept.append(file)
        else:
            skips.append((file.index, Skip(path=file.path, reason=why[0], detail=why[1])))
    for bad in patch.bad:
        path = bad.path or f"section {bad.index + 1} of the diff"
        skips.append((bad.index, Skip(path=path, reason=SkipReason.UNREADABLE, detail=bad.reason)))
    skips.sort(key=lambda entry: entry[0])
    return tuple(kept), tuple(skip for _, skip in skips)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sieve:
    ignore: GitIgnoreSpec
    include: GitIgnoreSpec | None
    attributes: Attributes
    head_text: Callable[[str], str | None]

    def why_not(self, file: FilePatch) -> _Why | None:
        return _nothing_to_read(file) or self._by_config(file.path) or self._by_kind(file)

    def _by_config(self, path: str) -> _Why | None:
        if self.ignore.check_file(path).include:
            return SkipReason.IGNORED, "paths.ignore"
        if self.include is not None and not self.include.match_file(path):
            return SkipReason.NOT_INCLUDED, "paths.include"
        return None

    def _by_kind(self, file: FilePatch) -> _Why | None:
        path = file.path
        if self.ignore.check_file(path).include is False:
            # `!path` in `paths.ignore` asks for a file that would be skipped by default.
            return None
        said = self.attributes.of(path)
        generated, vendored = said.get("linguist-generated"), said.get("linguist-vendored")
        if generated:
            return SkipReason.GENERATED, ".gitattributes: linguist-generated"
        if vendored:
            return SkipReason.VENDORED, ".gitattributes: linguist-vendored"
        if said.get("diff") is False:
            return SkipReason.IGNORED, ".gitattributes: -diff"
        if vendored is None and VENDORED_PATH.search(path):
            return SkipReason.VENDORED, "by its path"
        if generated is None:
            return _by_name(path) or _by_line_length(file) or self._by_marker(file)
        return None

    def _by_marker(self, file: FilePatch) -> _Why | None:
        top = _top(file)
        if all(number in top for number in range(1, MARKER_LINES + 1)) or file.status is FileStatus.REMOVED:
            lines = {number: line.text for number, line in top.items()}
        else:
            text = self.head_text(file.path)
            if text is None:
                lines = {number: line.text for number, line in top.items()}
            else:
                head = text.split("\n", MARKER_LINES)[:MARKER_LINES]
                lines = dict(enumerate(head, start=1))
        marked = [number for number, text in lines.items() if is_marker(text)]
        if not marked or _brings_its_marker(file, marked, top):
            return None
        return SkipReason.GENERATED, f"line {marked[0]} says so"


def _nothing_to_read(file: FilePatch) -> _Why | None:
    if file.submodule:
        return SkipReason.SUBMODULE, ""
    if file.binary:
        return SkipReason.BINARY, ""
    if not any(line.kind is not LineKind.CONTEXT for hunk in file.hunks for line in hunk.lines):
        return SkipReason.NO_TEXT_CHANGE, file.status.value
    return None


def _by_name(path: str) -> _Why | None:
    name = path.rpartition("/")[2]
    if name.lower() in LOCK_FILES or LOCK_NAME.search(name):
        return SkipReason.LOCK, ""
    if MINIFIED_NAME.search(name):
        return SkipReason.MINIFIED, "by its name"
    if GENERATED_NAME.search(path):
        return SkipReason.GENERATED, "by its name"
    return None


def _by_line_length(file: FilePatch) -> _Why | None:
    changed = long = 0
    longest = 0
    for line in _changed(file):
        if not line.text or line.text.isspace():
            continue
        changed += 1
        if len(line.text) > LONG_LINE and len(" ".join(line.text.split())) > LONG_LINE:
            long += 1
            longest = max(longest, len(line.text))
    if long and long >= changed * LONG_SHARE:
        return SkipReason.MINIFIED, f"a line has {longest:,} characters"
    return None


def _changed(file: FilePatch) -> Iterable[Line]:
    return (line for hunk in file.hunks for line in hunk.lines if line.kind is not LineKind.CONTEXT)


def _top(file: FilePatch) -> dict[int, Line]:
    """The first lines as the diff shows them: of the head, or of the base for a removed file."""
    side = Side.LEFT if file.status is FileStatus.REMOVED else Side.RIGHT
    return {
        line.number: line
        for hunk in file.hunks
        if hunk.new_start <= MARKER_LINES or hunk.old_start <= MARKER_LINES
        for line in hunk.lines[: 4 * MARKER_LINES]
        if line.side is side and line.number <= MARKER_LINES
    }


def _brings_its_marker(file: FilePatch, marked: list[int], top: dict[int, Line]) -> bool:
    """Whether this change adds the marker to a file that was there without one."""
    if file.status in {FileStatus.ADDED, FileStatus.REMOVED}:
        return False
    if any(number not in top or top[number].kind is LineKind.CONTEXT for number in marked):
        return False
    # A generator that writes its version into the marker replaces an older one.
    return not any(is_marker(line.text) for line in _changed(file) if line.kind is LineKind.REMOVED)
