"""What git itself says of a change, and helpers to make changes. Fixtures, so that no test module imports another."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.diff.model import FilePatch, FileStatus, Line, LineKind, Patch


def run_git(folder: Path, *arguments: str, data: bytes | None = None) -> bytes:
    return subprocess.run(["git", "-C", str(folder), *arguments], input=data, check=True, capture_output=True).stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a change by `git diff-tree --raw --numstat -z`, with both blobs. Counts are None for a binary."""

    letter: str
    old_mode: str
    new_mode: str
    old_sha: str
    new_sha: str
    path: str
    old_path: str | None
    added: int | None
    removed: int | None
    old: bytes
    new: bytes


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


class Repository:
    """A repository and its blobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs: dict[str, bytes] = {"0" * 40: b""}

    def patches(self, pairs: Sequence[tuple[str, str]], *options: str, config: Sequence[str] = ()) -> list[bytes]:
        """`git diff` between each two trees, by one process."""
        configs = [part for item in config for part in ("-c", item)]
        given = "".join(f"{old} {new}\n" for old, new in pairs).encode()
        # A line of hunk content never begins with a tree id: it has one of the four characters before it.
        arguments = ("diff-tree", "--stdin", "-r", "-p", "--full-index", *options)
        out = b"\n" + run_git(self.folder, *configs, *arguments, data=given)
        return self._parted(out, pairs)

    @staticmethod
    def _parted(out: bytes, pairs: Sequence[tuple[str, str]]) -> list[bytes]:
        parts = []
        for old, new in pairs:
            head = f"\n{old} {new}\n".encode()
            before, found, out = out.partition(head)
            assert found
            parts.append(before + b"\n" if before else b"")
            out = b"\n" + out
        return [part.removeprefix(b"\n") for part in [*parts[1:], out]]

    def entries(self, pairs: Sequence[tuple[str, str]], *options: str) -> list[list[Entry]]:
        """What git says of each change in a form that has no quoting."""
        given = "".join(f"{old} {new}\n" for old, new in pairs).encode()
        out = run_git(
            self.folder, "diff-tree", "--stdin", "-r", "--raw", "--numstat", "-z", "--abbrev=40", *options, data=given
        )
        parts = []
        for old, new in pairs:
            before, found, out = out.partition(f"{old} {new}\n".encode())
            assert found
            parts.append(before)
        raw = [self._raw(part) for part in [*parts[1:], out]]
        self._load({sha for change in raw for item in change for sha in (item[3], item[4])})
        return [[self._entry(item) for item in change] for change in raw]

    @staticmethod
    def _raw(data: bytes) -> list[tuple[str, str, str, str, str, bytes, bytes | None, bytes]]:
        fields = data.split(b"\0")
        at, items = 0, []
        while fields[at].startswith(b":"):
            old_mode, new_mode, old_sha, new_sha, letter = fields[at][1:].decode().split(" ")
            two = letter[0] in "RC"
            path = fields[at + 2] if two else fields[at + 1]
            items.append((letter[0], old_mode, new_mode, old_sha, new_sha, path, fields[at + 1] if two else None))
            at += 3 if two else 2
        numbers = []
        while at < len(fields) and fields[at]:
            numbers.append(fields[at])
            at += 3 if fields[at].split(b"\t", 2)[2] == b"" else 1
        assert len(items) == len(numbers)
        return [(*item, number) for item, number in zip(items, numbers, strict=True)]

    def _load(self, shas: set[str]) -> None:
        wanted = sorted(shas - set(self._blobs))
        out = run_git(self.folder, "cat-file", "--batch", data="".join(f"{sha}\n" for sha in wanted).encode())
        for sha in wanted:
            head, _, out = out.partition(b"\n")
            if head.endswith(b"missing"):
                # A submodule: git shows its commit as a line of text.
                self._blobs[sha] = f"Subproject commit {sha}\n".encode()
                continue
            size = int(head.split()[2])
            self._blobs[sha], out = out[:size], out[size + 1 :]

    def _entry(self, item: tuple[str, str, str, str, str, bytes, bytes | None, bytes]) -> Entry:
        letter, old_mode, new_mode, old_sha, new_sha, path, old_path, number = item
        added, removed = number.split(b"\t")[:2]
        return Entry(
            letter=letter,
            old_mode=old_mode,
            new_mode=new_mode,
            old_sha=old_sha,
            new_sha=new_sha,
            path=text_of(path),
            old_path=None if old_path is None else text_of(old_path),
            added=None if added == b"-" else int(added),
            removed=None if removed == b"-" else int(removed),
            old=self._blobs[old_sha],
            new=self._blobs[new_sha],
        )


def expected_status(entry: Entry) -> FileStatus:
    same = entry.old_sha == entry.new_sha
    return {
        "A": FileStatus.ADDED,
        "D": FileStatus.REMOVED,
        "R": FileStatus.RENAMED,
        "C": FileStatus.COPIED,
        "M": FileStatus.MODE_CHANGED if same else FileStatus.MODIFIED,
    }[entry.letter]


def whole_lines(blob: bytes) -> list[tuple[str, bool]]:
    """Each line of a blob with whether a newline ends it."""
    parts = blob.split(b"\n")
    lines = [(text_of(part), True) for part in parts[:-1]]
    return [*lines, (text_of(parts[-1]), False)] if parts[-1] else lines


def check_file(file: FilePatch, old: bytes, new: bytes) -> None:
    """Each line is in the blobs at its number, and the hunks make the new blob out of the old one: none is missing."""
    before, after = whole_lines(old), whole_lines(new)
    rebuilt: list[tuple[str, bool]] = []
    done = 0
    for hunk in file.hunks:
        start = hunk.old_start - 1 + (hunk.old_count == 0)
        rebuilt += before[done:start]
        done = start + hunk.old_count
        for line in hunk.lines:
            assert line.old is None or before[line.old - 1] == (line.text, line.newline)
            assert line.new is None or after[line.new - 1] == (line.text, line.newline)
            if line.kind is not LineKind.REMOVED:
                assert len(rebuilt) == line.number - 1
                rebuilt.append((line.text, line.newline))
        assert [line.old for line in hunk.lines if line.old is not None] == list(
            range(hunk.old_start, hunk.old_start + hunk.old_count)
        )
    rebuilt += before[done:]
    assert rebuilt == after


def check_patch(patch: Patch, entries: Sequence[Entry]) -> int:
    """Hold a whole patch against what git says. Returns the number of lines held against the blobs."""
    assert not patch.bad, patch.bad
    files = list(patch.files)
    for entry in entries:
        parts = [files.pop(0) for _ in range(2 if entry.letter == "T" else 1)]
        assert {part.path for part in parts} == {entry.path}
        if entry.letter != "T":
            # Of a type change git counts the lines that differ, and prints all of them.
            assert (parts[0].added, parts[0].removed) == (entry.added or 0, entry.removed or 0)
        else:
            assert [part.status for part in parts] == [FileStatus.REMOVED, FileStatus.ADDED]
            check_modes(parts[0], entry.old_mode, None)
            check_modes(parts[1], None, entry.new_mode)
            if not any(part.binary for part in parts):
                check_file(parts[0], entry.old, b"")
                check_file(parts[1], b"", entry.new)
            continue
        (file,) = parts
        assert file.status is expected_status(entry)
        assert file.old_path == (entry.old_path if entry.letter in "RC" else None)
        assert file.submodule == ("160000" in {entry.old_mode, entry.new_mode})
        if file.old_sha is not None:
            assert (file.old_sha, file.new_sha) == (entry.old_sha, entry.new_sha)
        if entry.letter != "R":
            # A rename of the whole content says nothing about modes.
            check_modes(
                file,
                None if entry.letter == "A" else entry.old_mode,
                None if entry.letter == "D" else entry.new_mode,
            )
        if entry.added is None:
            # Git says nothing about the content of a binary that was only renamed.
            assert not file.hunks
            assert file.binary or entry.old_sha == entry.new_sha
        else:
            check_file(file, entry.old, entry.new)
    assert not files
    return sum(len(hunk.lines) for hunk in patch.hunks())


def check_modes(file: FilePatch, old_mode: str | None, new_mode: str | None) -> None:
    if file.old_mode is None and file.new_mode is None:
        # Only where the content of a copy is the same.
        assert file.status in {FileStatus.COPIED, FileStatus.RENAMED}
    else:
        assert (file.old_mode, file.new_mode) == (old_mode, new_mode)


@pytest.fixture(scope="session")
def open_repository() -> Callable[[Path], Repository]:
    return Repository


@pytest.fixture(scope="session")
def hold_against_git() -> Callable[[Patch, Sequence[Entry]], int]:
    return check_patch


@pytest.fixture(scope="session")
def hold_against_blobs() -> Callable[[FilePatch, bytes, bytes], None]:
    return check_file


@pytest.fixture
def diff_of(tmp_path: Path) -> Callable[..., bytes]:
    """`git diff` from one set of files to another; contents by name, in a repository of its own."""
    run_git(tmp_path, "init", "--quiet", "--bare", "r")
    folder = tmp_path / "r"

    def tree(files: dict[bytes, bytes]) -> str:
        index = b"".join(
            b"100644 %s\t%s\0" % (run_git(folder, "hash-object", "-w", "--stdin", data=content).strip(), path)
            for path, content in files.items()
        )
        run_git(folder, "read-tree", "--empty")
        run_git(folder, "update-index", "-z", "--index-info", data=index)
        return run_git(folder, "write-tree").decode().strip()

    def diff(old: dict[bytes, bytes], new: dict[bytes, bytes], *options: str) -> bytes:
        return run_git(folder, "diff", "--no-color", *options, tree(old), tree(new))

    return diff


@pytest.fixture(scope="session")
def make_line() -> Callable[..., Line]:
    def make(kind: LineKind, number: int, text: str) -> Line:
        old = None if kind is LineKind.ADDED else number
        new = None if kind is LineKind.REMOVED else number
        return Line(kind=kind, old=old, new=new, text=text)

    return make


class Workshop(Repository):
    """One repository for many small changes, each made of two sets of (name, mode, content)."""

    def __init__(self, folder: Path) -> None:
        run_git(folder.parent, "init", "--quiet", "--bare", str(folder))
        super().__init__(folder)

    def trees(self, *sides: dict[bytes, tuple[str, bytes]]) -> list[str]:
        stream = b""
        for number, files in enumerate(sides):
            stream += b"commit refs/heads/w%d\ncommitter a <a@b> 0 +0000\ndata 0\ndeleteall\n" % number
            for path, (mode, content) in files.items():
                quoted = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
                stream += b'M %s inline "%s"\ndata %d\n%s\n' % (mode.encode(), quoted, len(content), content)
        run_git(self.folder, "fast-import", "--quiet", "--force", data=stream)
        names = [f"refs/heads/w{number}^{{tree}}" for number in range(len(sides))]
        return run_git(self.folder, "rev-parse", *names).decode().split()


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop") / "r")
