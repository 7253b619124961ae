"""createCommitOnBranch: a commit made from whole files, if the branch stands where the client believes it does."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bot.sandbox.github import graph_objects as objects
from bot.sandbox.github.access import sees
from bot.sandbox.github.call import Call
from bot.sandbox.github.graph_access import may
from bot.sandbox.github.graph_base import Node, git_object
from bot.sandbox.github.graph_errors import RefusedError, unprocessable
from bot.sandbox.github.records import Json

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo

Input = Mapping[str, Json]


def create_commit(call: Call, given: Input) -> Node:
    """A commit on a branch, if the branch is where the client believes it is."""
    branch = given["branch"]
    full_name, name = branch.get("repositoryNameWithOwner") or "", branch.get("branchName") or ""
    repo = call.world.repos.get(full_name.lower())
    if repo is None or not sees(call.world, call.who, repo):
        raise RefusedError("NOT_FOUND", f"Could not resolve to a Repository with the name '{full_name}'.")
    name = name.removeprefix("refs/heads/")
    _may_commit(call, repo, name)
    tip = repo.git.resolve(f"refs/heads/{name}")
    if tip is None:
        raise RefusedError("NOT_FOUND", f"No ref exists with the name '{name}'")
    if tip != given["expectedHeadOid"]:
        text = f'Expected branch to point to "{given["expectedHeadOid"]}" but it did not. Pull and try again.'
        raise RefusedError("STALE_DATA", text)
    changes = given.get("fileChanges") or {}
    files: dict[str, bytes | str | tuple[str, bytes] | None] = {}
    for gone in changes.get("deletions") or []:
        if repo.git.read(f"{tip}:{gone['path']}") is None:
            text = f"A path was requested for deletion which does not exist as of commit oid `{tip}`: {gone['path']}"
            raise unprocessable(text)
        files[gone["path"]] = None
    for added in changes.get("additions") or []:
        files[added["path"]] = (_mode(repo, tip, added["path"]), _decoded(added["contents"]))
    message = given["message"]
    text = message["headline"] + (f"\n\n{message['body']}" if message.get("body") else "")
    sha = repo.commit(name, files, text, call.user.login)
    call.world.signed.add(sha)
    return {"commit": git_object(call, repo, sha), "ref": objects.ref(call, repo, name)}


def _may_commit(call: Call, repo: Repo, branch: str) -> None:
    """By a right of one's own, or, on a fork's branch, because the pull's author lets maintainers edit (docs: allowing
    changes to a pull request branch created from a fork).
    """
    try:
        may(call, repo, "contents:write")
    except RefusedError:
        for base in call.world.repos.values():
            for pull in base.pulls.values():
                lent = pull.maintainer_can_modify and pull.head_repo == repo.full_name and pull.head_ref == branch
                if lent and pull.state == "open" and _writes(call, base):
                    return
        raise


def _writes(call: Call, repo: Repo) -> bool:
    try:
        may(call, repo, "contents:write")
    except RefusedError:
        return False
    return True


def _mode(repo: Repo, tip: str, path: str) -> str:
    found = repo.git.text("ls-tree", tip, "--", f":(literal){path}")
    return found[:6] if found[:6] in {"100644", "100755"} else "100644"


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise unprocessable("contents is not valid base64") from error
