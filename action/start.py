"""What the step of `action.yml` runs: `python3 -I action/start.py`.

It makes sure that Spark's dependencies are on the disk and then runs `spark action` in this process. It reads nothing of
the workspace: that may hold the pull request's own `bot/`. This file keeps to the syntax of Python 3.6, so that an
interpreter that is too old can take a newer one of the runner's tool cache, or say that there is none; the work is in
`spark_ready.py`.
"""

import os
import sys

NEEDED = (3, 11)
NEWER = ("3.12", "3.13", "3.14", "3.11")
"""What is taken from the tool cache, best first: a release has a bundle for the stock Python of GitHub's newest runners."""
USERS_MISTAKE = 2


def start(version: "tuple[int, ...]") -> int:
    """Run Spark under a Python of this version; returns the exit code."""
    if version < NEEDED:
        newer = in_tool_cache(os.environ.get("RUNNER_TOOL_CACHE", ""))
        if newer and os.name == "posix":
            os.execv(newer, [newer, "-I", os.path.abspath(__file__)])
        return too_old(version)
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, here)
    import spark_ready  # noqa: PLC0415 - an older Python cannot read it

    sys.path.remove(here)
    return spark_ready.start(os.path.dirname(here), os.environ)


def in_tool_cache(tools: str) -> str:
    """A Python that the runner came with and that is new enough; empty where there is none."""
    for wanted in NEWER:
        above = os.path.join(tools, "Python")
        try:
            found = [
                name
                for name in os.listdir(above)
                if name.startswith(wanted + ".") and name[len(wanted) + 1 :].isdigit()
            ]
        except OSError:
            return ""
        for name in sorted(found, key=lambda name: int(name[len(wanted) + 1 :]), reverse=True):
            for machine in ("x64", "arm64"):
                python = os.path.join(above, name, machine, "bin", "python3")
                if os.access(python, os.X_OK):
                    return python
    return ""


def too_old(version: "tuple[int, ...]") -> int:
    """Say which Python is needed, in the log and in the step's outputs; returns the exit code."""
    needed, found = ".".join(map(str, NEEDED)), ".".join(map(str, version))
    reason = f"Spark needs Python {needed} or newer, and python3 on this runner is {found}"
    print(
        f"::error title=Spark cannot start::{reason}. Add a step before it: uses actions/setup-python, python-version 3.12"
    )
    outputs = os.environ.get("GITHUB_OUTPUT")
    if outputs:
        with open(outputs, "a", encoding="utf-8") as file:
            file.write(f"verdict=neutral\nreason={reason}\n")
    return USERS_MISTAKE


if __name__ == "__main__":
    sys.exit(start(tuple(sys.version_info[:2])))
