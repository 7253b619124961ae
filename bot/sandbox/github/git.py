"""A bare git repository as the stand-in's storage: commits, trees, blobs, diffs, merges.

Everything is real git, run with a configuration of its own so that nothing of the machine's leaks in. Refuses to know
anything about pull requests; nothing here checks out or runs code of a repository.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.sandbox.github import objects

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
ZERO_SHA = "0" * 40


class GitError(Exception):
    """git said no. `str()` is its last line of stderr."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who wrote a commit, and when: `when` is git's own form, seconds since 1970 and a zone (`1700000000 +0000`)."""

    name: str
    email: str
    when: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitInfo:
    """One commit as git has it."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """One entry of a tree. `size` is None for what is no blob."""

    mode: str
    kind: str
    sha: str
    path: str
    size: int | None


def clean_environment() -> dict[str, str]:
    """An environment in which git reads no configuration of the machine or the user."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR") if name in os.environ}
    return kept | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "HOME": os.devnull,
        "LC_ALL": "C.UTF-8",
    }


class GitRepo:
    """A bare repository on disk. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._batch_lock = threading.Lock()
        self._batch: subprocess.Popen[bytes] | None = None

    @classmethod
    def create(cls, path: Path, *, default_branch: str = "main") -> GitRepo:
        """A new, empty bare repository at `path`."""
        objects.make_bare(path, default_branch)
        return cls(path)

    def close(self) -> None:
        """End the helper process that reads objects."""
        with self._batch_lock:
            if self._batch is not None:
                assert self._batch.stdin is not None
                assert self._batch.stdout is not None
                self._batch.stdin.close()
                self._batch.stdout.close()
                self._batch.wait()
                self._batch = None

    def run(self, *args: str, data: bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:
        """Run git in the repository and give its stdout. Raises GitError."""
        done = subprocess.run(
            ["git", *args],
            cwd=self.path,
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            env=clean_environment() | dict(env or {}),
            check=False,
        )
        if done.returncode != 0:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise GitError(lines[-1] if lines else f"git {args[0]} failed")
        return done.stdout

    def text(self, *args: str) -> str:
        """As `run`, decoded and stripped."""
        return self.run(*args).decode("utf-8", "surrogateescape").strip()

    # Reading

    def resolve(self, name: str) -> str | None:
        """The commit that a branch, tag or (short) sha names; None when there is none."""
        if not name or name.startswith("-"):
            return None
        for candidate in (f"refs/heads/{name}", f"refs/tags/{name}", name):
            found = self.read(f"{candidate}^{{commit}}")
            if found is not None:
                return found[0]
        return None

    def read(self, spec: str) -> tuple[str, str, bytes] | None:
        """`(sha, kind, content)` of an object such as `<sha>` or `<commit>:<path>`; None when there is none.

        A submodule's entry has no object here and gives `(sha, "commit", b"")`.
        """
        if "\n" in spec:
            return None
        with self._batch_lock:
            if self._batch is None:
                self._batch = subprocess.Popen(
                    ["git", "cat-file", "--batch"],
                    cwd=self.path,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=clean_environment(),
                )
            assert self._batch.stdin is not None
            assert self._batch.stdout is not None
            self._batch.stdin.write(spec.encode("utf-8", "surrogateescape") + b"\n")
            self._batch.stdin.flush()
            header = self._batch.stdout.readline().decode("utf-8", "surrogateescape").rstrip("\n")
            words = header.split(" ")
            if len(words) == 3 and words[2].isdigit() and words[1] in {"blob", "tree", "commit", "tag"}:
                content = self._batch.stdout.read(int(words[2]))
                self._batch.stdout.read(1)
                return words[0], words[1], content
            if header.endswith(" submodule"):
                return words[0], "commit", b""
            return None

    def blob(self, sha: str) -> bytes | None:
        """The content of a blob, None when there is no such blob."""
        found = self.read(sha)
        return found[2] if found is not None and found[1] == "blob" else None

    def _tree(self, sha: str) -> bytes | None:
        found = self.read(sha)
        return found[2] if found is not None and found[1] == "tree" else None

    def commit_info(self, sha: str) -> CommitInfo:
        """A commit's own data. Raises GitError when there is no such commit."""
        form = "%H%x00%T%x00%P%x00%an%x00%ae%x00%ad%x00%cn%x00%ce%x00%cd%x00%B"
        return _commit_of(self.run("log", "-1", "--date=raw", f"--format={form}", "--end-of-options", sha))

    def commits_between(self, base: str, head: str) -> tuple[CommitInfo, ...]:
        """What `head` has and `base` has not, oldest first."""
        return self._log("--reverse", f"{base}..{head}")

    def history(self, head: str) -> tuple[CommitInfo, ...]:
        """All that `head` has, newest first."""
        return self._log(head)

    def _log(self, *which: str) -> tuple[CommitInfo, ...]:
        form = "%H%x00%T%x00%P%x00%an%x00%ae%x00%ad%x00%cn%x00%ce%x00%cd%x00%B%x01"
        out = self.run("log", "--topo-order", "--date=raw", f"--format={form}", *which)
        return tuple(_commit_of(part.lstrip(b"\n")) for part in out.split(b"\x01") if part.strip())

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor; None for unrelated histories."""
        try:
            return self.text("merge-base", one, other)
        except GitError:
            return None

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `new` has `old` in its history; False when one of them is unknown."""
        try:
            self.run("merge-base", "--is-ancestor", old, new)
        except GitError:
            return False
        return True

    def tree(self, spec: str, *, recursive: bool = False) -> tuple[TreeEntry, ...]:
        """The entries of a tree (`<sha>` or `<commit>:<path>`). Raises GitError when there is none."""
        args = ["ls-tree", "-l", "-z", *(["-r", "-t"] if recursive else []), "--end-of-options", spec]
        entries = []
        for record in self.run(*args).split(b"\0")[:-1]:
            meta, path = record.decode("utf-8", "surrogateescape").split("\t", 1)
            mode, kind, sha, size = meta.split()
            entries.append(TreeEntry(mode=mode, kind=kind, sha=sha, path=path, size=None if size == "-" else int(size)))
        return tuple(entries)

    def branches(self) -> dict[str, str]:
        """Branch name to commit."""
        out = self.text("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads")
        return dict(_pair(line) for line in out.splitlines())

    # Writing

    def write_tree(self, base: str | None, files: Mapping[str, objects.Content]) -> str:
        """A tree like that of `base` (None: empty) with `files` laid over it; returns its sha.

        A value is the content, None to delete, or `(mode, content)` such as `("100755", b"...")`, `("120000", target)`,
        `("160000", commit sha)`.
        """
        start = self.read(f"{base}^{{tree}}") if base is not None else None
        if base is None or start is not None:
            written = objects.write_tree(self.path, start and start[0], files, self._tree)
            if written is not None:
                return written
        index = self.path / f"index-{threading.get_ident()}"
        env = {"GIT_INDEX_FILE": str(index)}
        try:
            self.run("read-tree", base if base is not None else "--empty", env=env)
            lines = b""
            for path, value in files.items():
                name = path.encode("utf-8", "surrogateescape")
                if value is None:
                    lines += b"0 " + ZERO_SHA.encode() + b"\t" + name + b"\0"
                    continue
                mode, content = value if isinstance(value, tuple) else ("100644", value)
                sha = content.decode() if mode == "160000" else self.write_blob(content)
                lines += f"{mode} {sha}".encode() + b"\t" + name + b"\0"
            self.run("update-index", "--replace", "-z", "--index-info", data=lines, env=env)
            return self.run("write-tree", "--missing-ok", env=env).decode().strip()
        finally:
            index.unlink(missing_ok=True)

    def write_blob(self, content: bytes) -> str:
        """Store a blob; returns its sha."""
        return objects.write_object(self.path, "blob", content)

    def write_commit(self, *, tree: str, parents: Sequence[str], message: str, author: Person) -> str:
        """Store a commit; returns its sha. Moves no branch."""
        who = {"name": author.name, "email": author.email, "when": author.when}
        written = objects.write_commit(self.path, tree=tree, parents=parents, message=message, **who)
        if written is not None:
            return written
        env = {
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_AUTHOR_DATE": author.when,
            "GIT_COMMITTER_NAME": author.name,
            "GIT_COMMITTER_EMAIL": author.email,
            "GIT_COMMITTER_DATE": author.when,
        }
        args = [part for parent in parents for part in ("-p", parent)]
        return self.run("commit-tree", tree, *args, "-F", "-", data=message.encode(), env=env).decode().strip()

    def set_branch(self, branch: str, sha: str, *, expected: str | None = None) -> None:
        """Point a branch at a commit; with `expected`, only if it stands there. Raises GitError."""
        if expected is not None:
            self.run("update-ref", f"refs/heads/{branch}", sha, expected)
        else:
            self.set_ref(f"refs/heads/{branch}", sha)

    def set_ref(self, name: str, sha: str) -> None:
        """Point a reference such as `refs/pull/1/head` at a commit. Raises GitError."""
        found = self.read(sha)
        if found is None or found[:2] != (sha, "commit") or not objects.write_ref(self.path, name, sha):
            self.run("update-ref", name, sha)

    def delete_branch(self, branch: str) -> None:
        """Remove a branch."""
        self.run("update-ref", "-d", f"refs/heads/{branch}")

    def fetch(self, source: Path, *refspecs: str) -> None:
        """Bring objects and refs of another repository on disk."""
        self.run("-c", "protocol.file.allow=always", "fetch", "-q", "--no-tags", str(source), *refspecs)

    def merge(self, ours: str, theirs: str) -> str | None:
        """The tree of a merge of two commits; None when they conflict."""
        try:
            return self.text("merge-tree", "--write-tree", ours, theirs).splitlines()[0]
        except GitError:
            return None


def _pair(line: str) -> tuple[str, str]:
    name, _, sha = line.rpartition(" ")
    return name, sha


def _commit_of(record: bytes) -> CommitInfo:
    parts = record.decode("utf-8", "replace").split("\0", 9)
    sha, tree, parents, an, ae, ad, cn, ce, cd, message = parts
    return CommitInfo(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=Person(name=an, email=ae, when=ad),
        committer=Person(name=cn, email=ce, when=cd),
        message=message.rstrip("\n"),
    )
