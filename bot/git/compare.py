"""Two blobs compared by git, for changes of which GitHub gives no patch.

Refuses to know about paths: the caller has them, and a path in a diff header is a way to be fooled.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bot.diff.model import is_binary
from bot.git.process import DIFF_FLAGS, clean_environment, run_git


def diff_blobs(old: bytes, new: bytes) -> str:
    """The hunks between two blobs, as git prints them (utf-8, surrogateescape), ready for `read_fragment`.

    Empty when the blobs are equal or one of them is binary by git's own test; the caller that must tell these apart
    asks `is_binary`. Line ends are compared as they are. Raises OutsideError when git is missing or fails.
    """
    if old == new or is_binary(old) or is_binary(new):
        return ""
    with tempfile.TemporaryDirectory(prefix="spark-compare-") as name:
        folder = Path(name)
        (folder / "old").write_bytes(old)
        (folder / "new").write_bytes(new)
        # Outside of any repository: neither attributes nor configuration of one may matter.
        env = clean_environment(os.environ)
        for variable in ("GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"):
            env.pop(variable, None)
        env["GIT_DIR"] = str(folder / "none")
        asked = ("diff", "--no-index", "--no-relative", "--text", *DIFF_FLAGS, "--", "old", "new")
        answer = run_git(*asked, cwd=folder, env=env, ok=(0, 1))
    start = answer.out.find(b"\n@@ ")
    return "" if start < 0 else answer.out[start + 1 :].decode("utf-8", "surrogateescape")
