"""What the paths of a commit are: plain files, or links and submodules, of which the lists of a pull's files say nothing.

Looks at the directories of these paths alone, in one question.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from bot.github.client import GitHubClient
from bot.review.model import CommitSha, RepoName
from bot.review.ports import Stop

_KINDS: Final = {0o120000: "a symbolic link", 0o160000: "a submodule", 0o040000: "a directory"}


def no_plain_file(
    client: GitHubClient, repo: RepoName, at: CommitSha, paths: Collection[str], *, stop: Stop, doing: str
) -> str:
    """Which of these paths is something else than a file in `at`, and what: `a.py is a symbolic link`; empty for none.

    A path that is not there is fine. Raises OutsideError when GitHub does not tell.
    """
    if not paths:
        return ""
    folders = sorted({posixpath.dirname(path) for path in paths})
    owner, _, name = repo.partition("/")
    asked = " ".join(
        f"d{number}: object(expression: $e{number}) {{ ... on Tree {{ entries {{ name mode }} }} }}"
        for number in range(len(folders))
    )
    given = "".join(f", $e{number}: String!" for number in range(len(folders)))
    query = f"query ($owner: String!, $name: String!{given}) {{ repository(owner: $owner, name: $name) {{ {asked} }} }}"
    variables = {f"e{number}": f"{at}:{folder}" for number, folder in enumerate(folders)}
    data = client.graphql(query, {"owner": owner, "name": name, **variables}, stop=stop, doing=doing).data
    found = data.get("repository")
    for number, folder in enumerate(folders):
        tree = found.get(f"d{number}") if isinstance(found, Mapping) else None
        for entry, mode in _entries(tree):
            path = posixpath.join(folder, entry)
            if path in paths and mode in _KINDS:
                return f"{path} is {_KINDS[mode]}"
    return ""


def _entries(tree: Any) -> Iterator[tuple[str, int]]:
    for entry in (tree.get("entries") or ()) if isinstance(tree, Mapping) else ():
        if isinstance(entry, Mapping) and isinstance(entry.get("name"), str) and isinstance(entry.get("mode"), int):
            yield entry["name"], entry["mode"]
