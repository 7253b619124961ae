"""Two trees compared by git: the patch, git's own count of it, and the files of the head.

Refuses to look at the work tree and at the index, so that no filter, attribute or half-finished edit there matters.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from bot.diff.model import Patch
from bot.diff.parse import read_patch
from bot.errors import UserError
from bot.git.objects import GitFiles
from bot.git.process import DIFF_FLAGS, Repository
from bot.review.model import Totals

BASE_FILES: Final = (".github/spark.yml", ".gitattributes")
"""What a review reads from the base; the change itself must not configure its own review."""

MAX_DIFF_BYTES = 256 * 1024 * 1024
"""A larger diff is no review any more; the user narrows the range."""

_TREES = ("diff-tree", "-r", "-M", "-l1000", "--ignore-submodules=none", "--submodule=short")


def tree_patch(repo: Repository, base: str, head: str) -> tuple[Patch, Totals]:
    """The patch from one tree (or commit) to another, and git's own numbers for it, from two calls at the same time.

    `Totals.files` counts names: a type change is one file, although git prints two sections for it.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="spark-git") as pool:
        counted = pool.submit(repo.git, *_TREES, "--raw", "--numstat", "-z", "--no-textconv", base, head)
        printed = repo.git(*_TREES, *DIFF_FLAGS, base, head)
        totals = read_totals(counted.result().out)
    if len(printed.out) > MAX_DIFF_BYTES:
        raise UserError(
            f"The diff has {len(printed.out) // (1024 * 1024)} MiB",
            remedy="Name a smaller range, such as HEAD~1..HEAD.",
        )
    return read_patch(printed.out), totals


def read_totals(data: bytes) -> Totals:
    """Count the output of `git diff-tree --raw --numstat -z`; binary files count as no lines."""
    fields = iter(data.split(b"\0"))
    files = added = removed = 0
    for field in fields:
        if field.startswith(b":"):
            # ":old-mode new-mode old-id new-id STATUS", then one path, or two after a rename or copy.
            status = field.rsplit(b" ", 1)[-1]
            files += 1
            next(fields, b"")
            if status[:1] in {b"R", b"C"}:
                next(fields, b"")
            continue
        parts = field.split(b"\t", 2)
        if len(parts) != 3:
            continue
        added += int(parts[0]) if parts[0].isdigit() else 0
        removed += int(parts[1]) if parts[1].isdigit() else 0
        if not parts[2]:
            # A rename: the two names follow as fields of their own.
            next(fields, b"")
            next(fields, b"")
    return Totals(files=files, added=added, removed=removed)


def base_texts(repo: Repository, base: str) -> dict[str, str]:
    """The files of `BASE_FILES` that the base has, by path."""
    files = GitFiles(repo, base)
    try:
        found = {path: files.text(path) for path in BASE_FILES}
    finally:
        files.close()
    return {path: text for path, text in found.items() if text is not None}
