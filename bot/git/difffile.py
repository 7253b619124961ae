"""The `Source` port over a diff that somebody else made: a file, or stdin.

Refuses to believe the diff about the files around it: a head file is used only when its content is what the diff says,
and never from outside the directory the review runs in.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bot.diff.model import FilePatch, FileStatus, Patch, is_binary
from bot.diff.parse import read_patch
from bot.errors import DiffUnreadableError, SparkError, UserError
from bot.git.objects import MAX_FILE_BYTES
from bot.git.process import Repository
from bot.git.trees import BASE_FILES, MAX_DIFF_BYTES
from bot.review.model import Change
from bot.review.ports import Opened

NAME = "diff file"
"""Stands for the commits that a diff file does not name."""


class DiffFileSource:
    """A diff from the file `name`, or from stdin when it is `-`. `root` is where the changed files may lie."""

    def __init__(self, name: str, *, root: Path | None = None) -> None:
        self._name = name
        self._root = root if root is not None else Path.cwd()

    def open(self) -> Opened:
        """Read it. UserError when there is no such file, it is too large or no diff."""
        try:
            patch = read_patch(self._read())
        except DiffUnreadableError as error:
            # The user named it, so it is the user's to mend.
            raise UserError(error.what, remedy=error.remedy or "Give what git diff prints.") from error
        repo = Repository(self._root)
        base_text: Callable[[str], str | None] | None = None
        try:
            root = repo.top or self._root
            texts = {path: text for path in BASE_FILES if (text := _committed(repo, path)) is not None}
            base_text = partial(_committed, repo)
        except SparkError:
            # Not in a repository, or no git: a diff can be reviewed without either.
            root, texts = self._root, {}
        title = "Diff from standard input" if self._name == "-" else f"Diff from {Path(self._name).name}"
        change = Change(patch=patch, base=NAME, head=NAME, title=title)
        opened = Opened(change=change, files=CheckedOutFiles(root, patch), base_texts=texts)
        return opened if base_text is None else replace(opened, base_text=base_text)

    def _read(self) -> bytes:
        if self._name == "-":
            data = sys.stdin.buffer.read(MAX_DIFF_BYTES + 1)
        else:
            try:
                with Path(self._name).open("rb") as file:
                    data = file.read(MAX_DIFF_BYTES + 1)
            except OSError as error:
                why = error.strerror or type(error).__name__
                raise UserError(
                    f"The diff {self._name} cannot be read ({why})", remedy="Name a diff file, or - for standard input."
                ) from error
        if len(data) > MAX_DIFF_BYTES:
            raise UserError(f"The diff is larger than {MAX_DIFF_BYTES >> 20} MiB", remedy="Split it.")
        return data


def _committed(repo: Repository, path: str) -> str | None:
    """A file from HEAD of the repository around us: the diff has no say in its own configuration."""
    answer = repo.git("cat-file", "blob", f"HEAD:{path}", ok=None)
    if answer.code != 0 or len(answer.out) > MAX_FILE_BYTES:
        return None
    return answer.out.decode("utf-8", "surrogateescape")


class CheckedOutFiles:
    """The `HeadFiles` port over a directory, for files that are there exactly as the patch leaves them.

    A file counts when its blob id is the one of the diff's index line; where the diff has no index lines, when every
    line that the patch shows of the new file stands in it at the same number.
    """

    def __init__(self, root: Path, patch: Patch) -> None:
        self._root = root.resolve()
        self._patches = {file.path: file for file in patch.files if file.status is not FileStatus.REMOVED}
        self._lock = threading.Lock()
        self._cache: dict[str, str | None] = {}

    def text(self, path: str) -> str | None:
        """The file when it is what the diff says; None when it is another version, missing, binary or too large."""
        with self._lock:
            if path not in self._cache:
                file = self._patches.get(path)
                self._cache[path] = None if file is None else self._matching(file)
            return self._cache[path]

    def prefetch(self, paths: Sequence[str]) -> None:
        """Does nothing now: the files are on this disk."""

    def _matching(self, file: FilePatch) -> str | None:
        data = self._bytes(file.path)
        if data is None or is_binary(data):
            return None
        # A checkout may have turned line ends around; the blob has the original ones.
        versions = [data, data.replace(b"\r\n", b"\n")]
        wanted = file.new_sha if file.new_sha and file.new_sha.strip("0") else None
        for version in versions:
            if wanted is not None and not _blob_id(version, wanted).startswith(wanted):
                continue
            text = version.decode("utf-8", "surrogateescape")
            if _shows(file, text, every_hunk=wanted is None):
                return text
        return None

    def _bytes(self, path: str) -> bytes | None:
        try:
            place = (self._root / path).resolve()
            if not place.is_relative_to(self._root) or not place.is_file() or place.stat().st_size > MAX_FILE_BYTES:
                return None
            return place.read_bytes()
        except (OSError, ValueError, RuntimeError):
            # A name that no file can have (a NUL, too long, a loop of links), or one we may not read.
            return None


def _blob_id(data: bytes, like: str) -> str:
    """Git's id of a blob; `like` is an id of the same repository, which tells the hash by its length."""
    content = b"blob %d\0" % len(data) + data
    if len(like) > 40:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _shows(file: FilePatch, text: str, *, every_hunk: bool) -> bool:
    """Whether the new lines of the patch stand in `text`. `every_hunk`: a hunk that shows none of them proves nothing."""
    lines = text.split("\n")
    for hunk in file.hunks:
        numbered = [(line.new, line.text) for line in hunk.lines if line.new is not None]
        if every_hunk and not numbered:
            return False
        if any(not 0 < number <= len(lines) or lines[number - 1] != shown for number, shown in numbered):
            return False
    return True
