"""Files of a tree, read from the object store through one `git cat-file --batch` process.

Refuses to read the work tree: what is checked out is not what is reviewed.
"""

from __future__ import annotations

import subprocess
import threading
import weakref
from collections.abc import Sequence
from typing import IO

from bot.diff.model import is_binary
from bot.errors import SparkError
from bot.git.process import Repository, command, missing

MAX_FILE_BYTES = 4 * 1024 * 1024
"""A larger file is not read: no prompt has room for it."""

MAX_CACHE_CHARS = 256 * 1024 * 1024
"""Beyond this sum of texts, files are read again each time instead of kept."""

_BLOCK = 1 << 20


class GitFiles:
    """The `HeadFiles` port over one tree. `keep` is anything that must live as long as this does."""

    def __init__(self, repo: Repository, tree: str, *, max_bytes: int = MAX_FILE_BYTES, keep: object = None) -> None:
        self._repo = repo
        self._tree = tree
        self._max_bytes = max_bytes
        self._keep = keep
        self._lock = threading.Lock()
        self._cache: dict[str, str | None] = {}
        self._cached_chars = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[..., GitFiles] | None = None

    def text(self, path: str) -> str | None:
        """The file in this tree; None when there is none, or it is binary, a submodule, too large or unreadable."""
        with self._lock:
            if path in self._cache:
                return self._cache[path]
            data = self._read(path)
            text = None if data is None or is_binary(data) else data.decode("utf-8", "surrogateescape")
            size = len(text or "")
            if self._cached_chars + size <= MAX_CACHE_CHARS:
                self._cache[path] = text
                self._cached_chars += size
            return text

    def prefetch(self, paths: Sequence[str]) -> None:
        """Start the reading process when there is something to read; a file then costs a tenth of a millisecond."""
        if paths:
            with self._lock:
                self._start()

    def close(self) -> None:
        """End the reading process. A later `text` starts a new one."""
        with self._lock:
            self._stop()

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        try:
            process = subprocess.Popen(
                command("cat-file", "--batch"),
                cwd=self._repo.empty,
                env=self._repo.tree_env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except FileNotFoundError as error:
            raise missing(self._repo.empty) from error
        self._process = process
        # When this object goes, so must the process.
        self._end = weakref.finalize(self, _finish, process)
        return process

    def _stop(self) -> None:
        if self._end is not None:
            self._end()
        self._process = self._end = None

    def _read(self, path: str) -> bytes | None:
        name = self._object_name(path)
        if name is None:
            return None
        try:
            process = self._start()
        except SparkError:
            return None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(name + b"\n")
            process.stdin.flush()
            return _take(process.stdout, self._max_bytes)
        except (OSError, EOFError, ValueError):
            # Git ended in the middle (a broken object, a blob that could not be fetched): this file cannot be had.
            self._stop()
            return None

    def _object_name(self, path: str) -> bytes | None:
        if not path or path.startswith(("./", "../", "/")) or "\0" in path:
            return None
        if "\n" not in path:
            return f"{self._tree}:{path}".encode("utf-8", "surrogateescape")
        # The batch protocol ends a name at the newline.
        try:
            answer = self._repo.git("ls-tree", "-z", "--full-tree", self._tree, "--", path)
        except SparkError:
            return None
        fields = answer.out.partition(b"\t")[0].split()
        return fields[2] if len(fields) == 3 else None


def _take(pipe: IO[bytes], max_bytes: int) -> bytes | None:
    header = pipe.readline()
    if not header.endswith(b"\n"):
        raise EOFError
    fields = header.rsplit(None, 2)
    if len(fields) != 3 or not fields[2].isdigit():
        return None
    kind, size = fields[1], int(fields[2])
    if size > max_bytes:
        left = size + 1
        while left:
            read = pipe.read(min(left, _BLOCK))
            if not read:
                raise EOFError
            left -= len(read)
        return None
    data = pipe.read(size)
    if len(data) != size or pipe.read(1) != b"\n":
        raise EOFError
    return data if kind == b"blob" else None


def _finish(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                # Closing flushes; the process may be gone already.
                continue
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
