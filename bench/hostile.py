"""Hostile pull requests, read over HTTP as Spark reads them, and a comment at every place where Spark could put one.

Generated repositories whose file names and contents look like parts of a diff are opened as pull requests on the stand-in
GitHub. Each is read with `PullSource`; git's own blobs and counts are the judge of what was read, the stand-in's line rules
of every anchor: each commentable line, each run of lines of a hunk, and each pair of neighbours is posted in pending
reviews, 30 comments a POST, which are deleted again.

    python bench/hostile.py                 # 2,000 pull requests
    python bench/hostile.py --pulls 100
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from bot.diff.anchors import anchor_lines, resolve, tag
from bot.diff.model import Anchor, FilePatch, Hunk, Line, Side
from bot.git.compare import compare_blobs
from bot.github.bodies import review_json
from bot.github.client import GitHubClient, connect
from bot.github.faults import Reply
from bot.github.pulls import PullSource
from bot.review.coverage import difference
from bot.review.model import Fingerprint, Pull, RepoName
from bot.review.ports import DraftComment, Opened, Stop
from bot.sandbox.github import GitHubOptions, GitHubServer, Rates
from bot.sandbox.hostile import HostileChange, hostile_repository
from bot.wiring import MonotonicClock

TOKEN = "hostile-token"
BATCH = 30
"""Comments of one POST: as many as Spark sends."""
PULLS_EACH = 20
"""Pull requests of one repository."""


@dataclass(slots=True)
class Tally:
    """What was counted. The lists name what must not be."""

    pulls: int = 0
    files: int = 0
    lines: int = 0
    anchors: int = 0
    accepted: int = 0
    told: int = 0
    """Pulls of which something could not be read, and was told."""
    unnamed: int = 0
    """Anchors in files whose names are not UTF-8. No JSON can name those, so nothing can be posted there."""
    crashes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.crashes or self.wrong or self.lost or self.refused) and self.anchors == self.accepted


def told(data: bytes) -> str:
    """Text as GitHub's JSON tells it: what is not UTF-8 is replaced."""
    return data.decode("utf-8", "replace")


class Blobs:
    """Git's own view of a hostile repository: what is true of each change, and the lines of each file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def git(self, *arguments: str) -> bytes:
        """The output of git, as bytes."""
        return subprocess.run(["git", "-C", str(self._folder), *arguments], check=True, capture_output=True).stdout

    def changed(self, change: HostileChange) -> dict[str, tuple[int, int]]:
        """Each changed path with its added and removed lines; 0 and 0 for a binary."""
        out = self.git("diff-tree", "-r", "-M", "--numstat", "-z", change.base_tree, change.head_tree)
        fields, at, found = out.split(b"\0"), 0, {}
        while at < len(fields) and fields[at]:
            added, removed, path = fields[at].split(b"\t", 2)
            path, at = (path, at + 1) if path else (fields[at + 2], at + 3)
            counts = (0, 0) if added == b"-" else (int(added), int(removed))
            found[told(path)] = counts
        return found

    def unnamed(self, change: HostileChange) -> list[bytes]:
        """Paths of the change that are not UTF-8."""
        return [path for path in (file.path for file in change.files) if told(path).encode() != path]

    def lines(self, sha: str | None) -> list[str]:
        """The lines of a blob; none for no blob."""
        if sha is None or not sha.strip("0"):
            return []
        kind = self.git("cat-file", "-t", sha).strip()
        return told(self.git("cat-file", "blob", sha)).split("\n") if kind == b"blob" else []

    def blobs(self, change: HostileChange) -> dict[tuple[Side, str], str]:
        """The blob of each path on each side."""
        found = {}
        for side, tree in ((Side.LEFT, change.base_tree), (Side.RIGHT, change.head_tree)):
            for entry in self.git("ls-tree", "-r", "-z", tree).split(b"\0"):
                if entry:
                    head, path = entry.split(b"\t", 1)
                    found[side, told(path)] = head.split()[2].decode()
        return found


def run(repositories: Sequence[int], *, batch: int = BATCH, pulls: int = PULLS_EACH) -> Tally:
    """Everything for the repositories with these seeds."""
    tally, clock = Tally(), MonotonicClock()
    with (
        GitHubServer(GitHubOptions(rates=Rates(per_hour=10**9))) as github,
        tempfile.TemporaryDirectory(prefix="spark-hostile-") as folder,
    ):
        github.world.user("spark", TOKEN, bot=True)
        with connect(
            token=TOKEN,
            api_url=github.api_url,
            graphql_url=github.graphql_url,
            user_agent="spark-bench",
            clock=clock,
        ) as client:
            for seed in repositories:
                path = Path(folder) / str(seed)
                changes = hostile_repository(path, seed, changes=pulls)
                repo = github.world.create_repo(f"hostile/r{seed}")
                repo.permission("spark", "write")
                repo.import_git(path)
                blobs = Blobs(path)
                for number, change in enumerate(changes):
                    name = f"seed {seed}, change {number}"
                    pull = repo.open_pull(name, "Nothing good.", head=f"head-{number}", base=f"base-{number}")
                    visit = Visit(tally, name, blobs, change)
                    try:
                        visit.look(client, RepoName(repo.full_name), pull.number, batch=batch)
                    except Exception as error:  # noqa: BLE001 - a crash is what is counted here
                        tally.crashes.append(f"{name}: {type(error).__name__}: {error}")
                github.world.delete_repo(repo.full_name)
                github.requests.clear()
    return tally


@dataclass(slots=True)
class Visit:
    """One pull request."""

    tally: Tally
    name: str
    blobs: Blobs
    change: HostileChange

    def look(self, client: GitHubClient, repo: RepoName, number: int, *, batch: int) -> None:
        """Read the pull, hold it against git, and post at every anchor."""
        stop = Stop(deadline=client.clock.now() + 120, clock=client.clock)
        opened = PullSource(client, repo, number, compare=compare_blobs, stop=stop).open()
        self.tally.pulls += 1
        self._count(opened)
        self._hold_lines(opened)
        assert opened.change.pull is not None
        every = list(self._anchors(opened))
        unnamed = {told(path) for path in self.blobs.unnamed(self.change)}
        anchors = [anchor for anchor in every if anchor.path not in unnamed]
        self.tally.unnamed += len(every) - len(anchors)
        self.tally.anchors += len(anchors)
        for start in range(0, len(anchors), batch):
            self._post(client, opened.change.pull, anchors[start : start + batch], stop)

    def _count(self, opened: Opened) -> None:
        """Every file and line that git counts was read, or is told as missing."""
        change = opened.change
        gaps = {gap.path for gap in change.gaps} | {bad.path for bad in change.patch.bad if bad.path is not None}
        read: dict[str, tuple[int, int]] = {}
        for file in change.patch.files:
            added, removed = read.get(file.path, (0, 0))
            read[file.path] = (added + file.added, removed + file.removed)
        self.tally.files += len(change.patch.files)
        self.tally.told += bool(gaps) or bool(difference(change))
        for path, counts in self.blobs.changed(self.change).items():
            if path in gaps:
                continue
            if path not in read:
                self.tally.lost.append(f"{self.name}: {path!r} is neither read nor told")
            elif read[path] != counts and not difference(change):
                self.tally.lost.append(f"{self.name}: {path!r} has {read[path]} lines, git counts {counts}")

    def _hold_lines(self, opened: Opened) -> None:
        blobs = self.blobs.blobs(self.change)
        for file in opened.change.patch.files:
            if file.submodule or not file.hunks:
                continue
            sides = {
                Side.RIGHT: self.blobs.lines(blobs.get((Side.RIGHT, file.path))),
                Side.LEFT: self.blobs.lines(blobs.get((Side.LEFT, file.old_path or file.path))),
            }
            for line in (line for hunk in file.hunks for line in hunk.lines):
                self.tally.lines += 1
                # What was read from the blobs has the bytes; what came as JSON has stand-ins for them.
                shown = told(line.text.encode("utf-8", "surrogateescape"))
                for number, text in ((line.new, sides[Side.RIGHT]), (line.old, sides[Side.LEFT])):
                    if number is not None and not (number <= len(text) and text[number - 1] == shown):
                        self.tally.wrong.append(f"{self.name}: {file.path!r} {line!r}")

    def _anchors(self, opened: Opened) -> Iterator[Anchor]:
        for file in opened.change.patch.files:
            for hunk in file.hunks:
                for side in Side:
                    yield from self._of_side(file, hunk, side)

    def _of_side(self, file: FilePatch, hunk: Hunk, side: Side) -> Iterator[Anchor]:
        for block in _runs(list(hunk.on(side))):
            pairs = [(line, line) for line in block] + list(pairwise(block))
            if len(block) > 2:
                pairs.append((block[0], block[-1]))
            for first, last in pairs:
                anchor = resolve(file, tag(first), tag(last), hunks=[hunk.key])
                if not isinstance(anchor, Anchor) or anchor != anchor_lines(file, side, first.number, last.number):
                    self.tally.wrong.append(f"{self.name}: {file.path!r} {tag(first)} to {tag(last)} gave {anchor}")
                else:
                    yield anchor

    def _post(self, client: GitHubClient, pull: Pull, anchors: Sequence[Anchor], stop: Stop) -> None:
        """Post a pending review at `anchors` and delete it; by halves when it is refused, to name the refused ones."""
        comments = [
            DraftComment(anchor=anchor, body="Here.", entry="Here.", fingerprint=Fingerprint("f")) for anchor in anchors
        ]
        path = f"/repos/{pull.repo}/pulls/{pull.number}/reviews"
        body = review_json(commit=pull.head_sha, body="Everywhere.", comments=comments, event=None)
        answer = client.call("POST", path, stop=stop, body=body)
        if isinstance(answer, Reply) and answer.ok:
            self.tally.accepted += len(anchors)
            client.call("DELETE", f"{path}/{answer.json()['id']}", stop=stop)
        elif len(anchors) == 1:
            told = answer.message if isinstance(answer, Reply) else answer.reason
            self.tally.refused.append(f"{self.name}: {anchors[0]!r}: {told}")
        else:
            middle = len(anchors) // 2
            self._post(client, pull, anchors[:middle], stop)
            self._post(client, pull, anchors[middle:], stop)


def _runs(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines of one side in runs of following numbers: on LEFT, lines that stayed lie between them."""
    runs: list[list[Line]] = []
    for line in lines:
        if runs and runs[-1][-1].number + 1 == line.number:
            runs[-1].append(line)
        else:
            runs.append([line])
    return runs


def main() -> int:
    """Print what was counted; 1 when anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pulls", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    many = -(-given.pulls // PULLS_EACH)
    tally = run(range(given.seed, given.seed + many))
    print(
        f"{tally.pulls:,} hostile pull requests, {tally.files:,} files, {tally.lines:,} lines: "
        f"{len(tally.crashes)} crashes, {len(tally.wrong)} wrong lines, {len(tally.lost)} silent losses "
        f"({tally.told} told), anchors accepted {tally.accepted:,} of {tally.anchors:,} "
        f"(and {tally.unnamed:,} in files whose names no JSON can say); "
        f"{time.monotonic() - began:.0f} s"
    )
    for name in ("crashes", "wrong", "lost", "refused"):
        for problem in getattr(tally, name)[:20]:
            print(f"{name}: {problem}")
    return 0 if tally.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
