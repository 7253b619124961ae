"""What a release has to know of the checkout: may this version go out, its notes, and which tags move to it.

    python3 action/release.py check 1.2.3
    python3 action/release.py notes 1.2.3
    python3 action/release.py moving 1.2.3

`.github/workflows/release.yml` runs these; it reads files and tags and changes nothing. Standard library alone.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
_VERSION: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_OWN: Final = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)


def problems(version: str, *, own: str, changelog: str, tags: Iterable[str]) -> list[str]:
    """Why this version cannot go out, each with its remedy; empty when it can.

    own: what `bot/__init__.py` says. tags: those that there are.
    """
    if _VERSION.fullmatch(version) is None:
        return [f"{version!r} is no version. Give three numbers: 1.2.3."]
    found = []
    if own != version:
        found.append(f"bot/__init__.py has the version {own}. Set it to {version} on main first.")
    if not notes(version, changelog):
        found.append(
            f"CHANGELOG.md tells nothing of {version}. Add a heading “## [{version}] - YYYY-MM-DD” and what is new."
        )
    if f"v{version}" in set(tags):
        found.append(f"the tag v{version} is there. Take the next version, or delete the tag of a release that failed.")
    return found


def notes(version: str, changelog: str) -> str:
    """What the changelog tells of a version, without its heading; empty when it does not."""
    heading = re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE)
    if heading is None:
        return ""
    below = changelog[heading.end() :]
    end = re.search(r"^(## |\[[^\]]+\]: )", below, re.MULTILINE)
    return below[: end.start() if end else None].strip()


def moving(version: str, tags: Iterable[str]) -> list[str]:
    """The plain tags that move to a version, such as `v1.2` and `v1`: none moves back to an older one."""
    released = [_numbers(tag[1:]) for tag in tags if tag.startswith("v") and _VERSION.fullmatch(tag[1:])]
    major, minor, _ = mine = _numbers(version)
    moved = []
    if all(mine >= other for other in released if other[:2] == mine[:2]):
        moved.append(f"v{major}.{minor}")
    if all(mine >= other for other in released if other[0] == major):
        moved.append(f"v{major}")
    return moved


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = (int(number) for number in version.split("."))
    return major, minor, patch


def main() -> int:
    """Answer one question about a version; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("check", "notes", "moving"))
    parser.add_argument("version")
    options = parser.parse_args()
    listed = subprocess.run(["git", "tag", "--list"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    tags = listed.stdout.split()
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    own = _OWN.search((ROOT / "bot/__init__.py").read_text("utf-8"))
    # Whether a version may go out is asked before its tag is there, everything else after it.
    wrong = problems(
        options.version,
        own=own[1] if own else "none",
        changelog=changelog,
        tags=tags if options.what == "check" else (),
    )
    for problem in wrong:
        print(f"release: {problem}", file=sys.stderr)
    if wrong:
        return 1
    if options.what == "notes":
        print(notes(options.version, changelog))
    if options.what == "moving":
        print("\n".join(moving(options.version, tags)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
