"""`spark review` on a real change: two consecutive releases of a public package, committed one after the other.

The source distributions are downloaded when this runs (the network is used for nothing else). The review is run as users
run it, with analyzers alone and, with `--endpoint`, with the stand-in endpoint as well: its findings come from rules, so
they say nothing about a model; that every hunk is read, placed and proven at its speed is what they show.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.sandbox.endpoint import endpoint_process


def download(package: str, version: str, folder: Path) -> Path:
    """The unpacked source distribution of one release. CalledProcessError, with pip's own words on stderr, without one."""
    target = folder / version
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run(
        [*command, "--no-binary", ":all:", "--dest", str(target), f"{package}=={version}"],
        check=True,
        stderr=sys.stderr,
    )
    (archive,) = target.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(target, filter="data")
    (unpacked,) = (path for path in target.iterdir() if path.is_dir())
    return unpacked


def git(repo: Path, *args: str, tree: Path | None = None) -> str:
    """Run git in `repo`, with `tree` as its work tree."""
    where = [f"--work-tree={tree}"] if tree else []
    identity = {f"GIT_{who}_{what}": "bench" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", f"--git-dir={repo / '.git'}", *where, "-c", "core.autocrlf=false", *args],
        env={**os.environ, **identity},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def commit_releases(package: str, versions: tuple[str, str], folder: Path) -> Path:
    """A repository with one commit a release."""
    repo = folder / "repo"
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(repo)], check=True)
    for version in versions:
        tree = download(package, version, folder)
        git(repo, "add", "--all", "--force", ".", tree=tree)
        git(repo, "commit", "--quiet", "--message", f"{package} {version}", tree=tree)
        print(f"committed {package} {version}: {len(git(repo, 'ls-files').splitlines())} files")
    print(f"git's own count from one to the other: {git(repo, 'diff', '--shortstat', '-M', 'HEAD~1', 'HEAD')}")
    return repo


def review(repo: Path, arguments: list[str], env: dict[str, str]) -> tuple[dict[str, Any], float, int]:
    """Run `spark review` on the last commit: the review as JSON, wall seconds of the process, its exit code."""
    command = [sys.executable, "-m", "bot", "review", "HEAD~1..HEAD", "--format", "json", *arguments]
    print(f"\n$ spark {' '.join(command[3:])}")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "OPENAI_"))}
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=repo, env={**clean, **env}, stdout=subprocess.PIPE, check=False)
    seconds = time.perf_counter() - begun
    if done.returncode not in {0, 1}:
        sys.exit(f"spark review ended with {done.returncode}")
    return json.loads(done.stdout), seconds, done.returncode


def tell(found: dict[str, Any], seconds: float, code: int) -> None:
    """Print what came of a review."""
    findings, coverage, timing, usage = (found[key] for key in ("findings", "coverage", "timing", "usage"))
    proven = sum(finding["proven"] for finding in findings if finding["suggestion"] is not None)
    suggested = sum(finding["suggestion"] is not None for finding in findings)
    print(f"  verdict    {found['verdict']}: {found['reason']} (exit code {code})")
    print(f"  findings   {len(findings)}: {_counts(findings, 'severity')}; from {_counts(findings, 'source')}")
    print(f"             {suggested} with a suggestion, {proven} of them proven; {len(found['misplaced'])} misplaced")
    print(
        f"  coverage   {coverage['reviewed']} of {coverage['hunks']} hunks; {len(coverage['skipped'])} files skipped:"
    )
    for reason, number in Counter(skip["reason"] for skip in coverage["skipped"]).most_common():
        print(f"             {number} {reason}")
    told = ", ".join(f"{name} {value:.2f}" for name, value in timing.items() if value is not None)
    print(f"  seconds    {seconds:.2f} for the whole process; from its start: {told}")
    print(f"  usage      {usage['calls']} calls, {usage['input_tokens']:,} tokens in, {usage['output_tokens']:,} out")
    for finding in findings[:5]:
        title = f"{finding['path']}:{finding['line']} {finding['title']}"
        print(f"    {finding['severity']:<9}{title[:110]}")


def _counts(findings: list[dict[str, Any]], key: str) -> str:
    return (
        ", ".join(f"{number} {name}" for name, number in Counter(one[key] for one in findings).most_common()) or "none"
    )


@contextmanager
def place(kept: Path | None) -> Iterator[Path]:
    """A directory to work in: temporary, or `kept`, which must not be there yet."""
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="spark-real-") as name:
            yield Path(name)
        return
    kept.mkdir(parents=True)
    yield kept.resolve()


def main() -> int:
    """Run it; 0 when every review covered every hunk that was not skipped on purpose."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", default="bottle", help="a package with source distributions (%(default)s)")
    parser.add_argument("--old", default="0.12.25", help="the earlier release (%(default)s)")
    parser.add_argument("--new", default="0.13", help="the later release (%(default)s)")
    parser.add_argument("--endpoint", action="store_true", help="also review with the stand-in endpoint")
    parser.add_argument("--tps", type=float, default=1000.0, help="its tokens per second and stream (%(default)s)")
    parser.add_argument("--effort", default="standard", help="instant, standard or deep (%(default)s)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work there, and leave the repository behind")
    options = parser.parse_args()
    with place(options.keep) as folder:
        repo = commit_releases(options.package, (options.old, options.new), folder)
        found, seconds, code = review(repo, ["--no-model"], {})
        tell(found, seconds, code)
        if not options.endpoint:
            return 0
        with endpoint_process(["--tps", str(options.tps)]) as url:
            env = {"SPARK_API_KEY": "stand-in", "SPARK_BASE_URL": url}
            found, seconds, code = review(repo, ["--effort", options.effort], env)
            tell(found, seconds, code)
        coverage = found["coverage"]
        return 0 if coverage["reviewed"] == coverage["hunks"] > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
