"""Blobs compared by git, for changes of which GitHub gives no patch.

Refuses to know about paths: the caller has them, and a path in a diff header is a way to be fooled.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bot.diff.model import is_binary
from bot.git.process import DIFF_FLAGS, clean_environment, run_git

_HEADER = re.compile(rb"^diff --git a/old/([0-9]+) b/new/\1$", re.MULTILINE)
"""No line of a blob is like it: those have a sign in front."""


def compare_blobs(pairs: Sequence[tuple[bytes, bytes]]) -> list[str]:
    """For each old and new blob the hunks between them, as git prints them (utf-8, surrogateescape), ready for `read_fragment`.

    Empty where the blobs are equal or one of them is binary by git's own test; the caller that must tell these apart
    asks `is_binary`. Line ends are compared as they are. One process for all, for to begin one costs as much as comparing
    a hundred small files. Raises OutsideError when git is missing or fails.
    """
    out = [""] * len(pairs)
    asked = [at for at, (old, new) in enumerate(pairs) if not (old == new or is_binary(old) or is_binary(new))]
    if not asked:
        return out
    with tempfile.TemporaryDirectory(prefix="spark-compare-") as name:
        folder = Path(name)
        for side, which in (("old", 0), ("new", 1)):
            (folder / side).mkdir()
            for at in asked:
                (folder / side / str(at)).write_bytes(pairs[at][which])
        # Outside of any repository: neither attributes nor configuration of one may matter.
        env = clean_environment(os.environ)
        for variable in ("GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"):
            env.pop(variable, None)
        env["GIT_DIR"] = str(folder / "none")
        flags = ("--no-index", "--no-relative", "--no-renames", "--text", *DIFF_FLAGS)
        answer = run_git("diff", *flags, "--", "old", "new", cwd=folder, env=env, ok=(0, 1))
    headers = list(_HEADER.finditer(answer.out))
    ends = [header.start() for header in headers[1:]] + [len(answer.out)]
    for header, end in zip(headers, ends, strict=True):
        start = answer.out.find(b"\n@@ ", header.end(), end)
        if start >= 0:
            out[int(header.group(1))] = answer.out[start + 1 : end].decode("utf-8", "surrogateescape")
    return out


def diff_blobs(old: bytes, new: bytes) -> str:
    """`compare_blobs` of one pair."""
    return compare_blobs([(old, new)])[0]
