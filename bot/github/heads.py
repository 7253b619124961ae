"""Which open pulls a head belongs to, also when it is a fork's.

The list of a commit's pulls (`/commits/{sha}/pulls`) is made for merged ones and leaves out what a fork has, and a webhook's
check run names no fork's pull either (docs: check_run). So the open pulls are listed and compared by head.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.github.client import GitHubClient, gather
from bot.github.records import PullRecord, read_pull
from bot.review.model import CommitSha, RepoName
from bot.review.ports import Stop


def open_pulls(client: GitHubClient, repo: RepoName, head: CommitSha, *, stop: Stop) -> list[PullRecord]:
    """Every open pull of `repo` whose head is `head` now, by number. Raises SparkError when GitHub does not tell."""
    doing = f"looking for the pull requests of {repo}@{head[:7]}"
    pages = client.pages(f"/repos/{repo}/pulls", stop=stop, doing=doing, params={"state": "open"})
    entries = [entry for page in pages for entry in page.json() if isinstance(entry, Mapping)]
    numbers = sorted({int(entry["number"]) for entry in entries if _head_of(entry) == head})

    def read(number: int) -> PullRecord:
        # A list has no counts of a pull's changes.
        return read_pull(client.get(f"/repos/{repo}/pulls/{number}", stop=stop, doing=doing))

    found = gather([client.submit(read, number) for number in numbers])
    return [record for record in found if record.pull.head_sha == head]


def _head_of(entry: Mapping[str, object]) -> object:
    head = entry.get("head")
    return head.get("sha") if isinstance(head, Mapping) else None
