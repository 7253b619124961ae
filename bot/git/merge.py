"""Three versions of one file merged by git, without a repository.

Refuses to know about paths, attributes and configuration, as `compare` does: no merge driver of anybody is run.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bot.diff.model import is_binary
from bot.git.process import clean_environment, run_git

_CONFLICTS = 127
"""`git merge-file` ends with the number of conflicts, cut at this; above it with an error."""


def merge3(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """`ours` with what leads from `base` to `theirs`; None when both changed the same lines, or one of them is binary.

    Where both sides say the same the answer needs no git. Raises OutsideError when git is missing or fails.
    """
    if ours in {base, theirs}:
        return theirs
    if base == theirs:
        return ours
    if any(is_binary(text) for text in (base, ours, theirs)):
        return None
    with tempfile.TemporaryDirectory(prefix="spark-merge-") as name:
        folder = Path(name)
        for part, text in (("ours", ours), ("base", base), ("theirs", theirs)):
            (folder / part).write_bytes(text)
        # Outside of any repository: neither attributes nor configuration of one may matter.
        env = clean_environment(os.environ)
        for variable in ("GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"):
            env.pop(variable, None)
        env["GIT_DIR"] = str(folder / "none")
        asked = ("merge-file", "-p", "--quiet", "ours", "base", "theirs")
        answer = run_git(*asked, cwd=folder, env=env, ok=tuple(range(_CONFLICTS + 1)))
    return answer.out if answer.code == 0 else None
