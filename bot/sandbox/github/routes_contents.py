"""Files and git objects: contents, blobs, trees, commits, comparisons."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.sandbox.github.call import ApiError, Call, Reply, Route, not_found, validation_failed
from bot.sandbox.github.git import CommitInfo, GitError
from bot.sandbox.github.records import Json
from bot.sandbox.github.shapes import commit_json
from bot.sandbox.github.shapes_pulls import files_json

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo

_TYPES = {"blob": "file", "tree": "dir", "commit": "submodule"}


def commit_named(repo: Repo, ref: str) -> str:
    """The commit of a branch, tag, sha or `refs/pull/N/head`. ApiError 404 when there is none."""
    found = repo.git.resolve(ref.removeprefix("refs/heads/").removeprefix("refs/tags/"))
    if found is None:
        raise not_found()
    return found


def get_contents(call: Call) -> Reply:
    """A file as base64 JSON or raw bytes, or a directory's entries."""
    repo, path = call.repo, str(call.args.get("path", "")).strip("/")
    ref = call.query.get("ref") or repo.default_branch
    found = repo.git.resolve(ref.removeprefix("refs/heads/"))
    if found is None:
        raise ApiError(404, f"No commit found for the ref {ref}")
    entry = repo.git.read(f"{found}:{path}")
    if entry is None:
        raise not_found()
    sha, kind, content = entry
    if kind == "tree":
        prefix = f"{path}/" if path else ""
        listing = [
            _entry(call, prefix + each.path, ref, each.sha, _TYPES[each.kind], each.size or 0)
            for each in repo.git.tree(f"{found}:{path}")
        ]
        return Reply(data=listing)
    if kind == "commit":
        return Reply(data=_entry(call, path, ref, sha, "submodule", 0) | {"submodule_git_url": None})
    return _file(call, path, ref, sha, content)


def _file(call: Call, path: str, ref: str, sha: str, content: bytes) -> Reply:
    limits = call.options.limits
    raw = "vnd.github" in call.accept and "raw" in call.accept
    if len(content) > limits.contents_raw_bytes:
        raise _too_large("100 MB")
    if raw:
        return Reply(raw=content, media="application/vnd.github.v3.raw; charset=utf-8")
    data = _entry(call, path, ref, sha, "file", len(content))
    if len(content) > limits.contents_bytes:
        # Between 1 and 100 MB only the raw and object media types are served, object without the content.
        if "vnd.github" in call.accept and "object" in call.accept:
            return Reply(data=data | {"content": "", "encoding": "none"})
        raise _too_large("1 MB")
    return Reply(data=data | {"content": base64.encodebytes(content).decode(), "encoding": "base64"})


def _too_large(what: str) -> ApiError:
    return ApiError(
        403,
        f"This API returns blobs up to {what} in size. The requested blob is too large to fetch via the API, but you "
        "can always clone the repository via Git.",
        errors=[{"resource": "Blob", "field": "data", "code": "too_large"}],
    )


def _entry(call: Call, path: str, ref: str, sha: str, kind: str, size: int) -> dict[str, Json]:
    name = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    place, at = quote(path.encode("utf-8", "surrogateescape"), safe="/"), quote(ref, safe="")
    api = f"{call.urls.api}/repos/{call.repo.full_name}"
    own = f"{api}/contents/{place}?ref={at}"
    git = f"{api}/git/{'trees' if kind == 'dir' else 'blobs'}/{sha}"
    page = f"{call.urls.web}/{call.repo.full_name}/{'tree' if kind == 'dir' else 'blob'}/{at}/{place}"
    download = f"{call.urls.web}/{call.repo.full_name}/raw/{at}/{place}" if kind == "file" else None
    return {
        "name": name.rsplit("/", 1)[-1],
        "path": name,
        "sha": sha,
        "size": size,
        "url": own,
        "html_url": page,
        "git_url": git,
        "download_url": download,
        "type": kind,
        "_links": {"self": own, "git": git, "html": page},
    }


def get_blob(call: Call) -> Reply:
    """A blob by its id, always base64."""
    sha = str(call.args["sha"])
    content = call.repo.git.blob(sha) if _is_sha(sha) else None
    if content is None:
        raise not_found()
    if len(content) > call.options.limits.contents_raw_bytes:
        raise _too_large("100 MB")
    if "vnd.github" in call.accept and "raw" in call.accept:
        return Reply(raw=content, media="application/vnd.github.v3.raw; charset=utf-8")
    return Reply(
        data={
            "sha": sha,
            "node_id": f"B_{sha}",
            "size": len(content),
            "url": f"{call.urls.api}/repos/{call.repo.full_name}/git/blobs/{sha}",
            "content": base64.encodebytes(content).decode(),
            "encoding": "base64",
        }
    )


def _is_sha(text: str) -> bool:
    return len(text) == 40 and all(char in "0123456789abcdef" for char in text)


def get_tree(call: Call) -> Reply:
    """A tree by its id, or that of a commit or branch; `recursive` with any value walks it whole."""
    repo, name = call.repo, str(call.args["ref"])
    api = f"{call.urls.api}/repos/{repo.full_name}/git"
    try:
        spec = name if _is_sha(name) else commit_named(repo, name)
        sha = repo.git.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{spec}^{{tree}}")
        entries = repo.git.tree(sha, recursive="recursive" in call.query)
    except GitError as error:
        raise not_found() from error
    most = call.options.limits.tree_entries
    kinds = {"blob": "blobs", "tree": "trees", "commit": "commits"}
    tree = []
    for each in entries[:most]:
        shown = each.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        entry: dict[str, Json] = {"path": shown, "mode": each.mode, "type": each.kind, "sha": each.sha}
        if each.size is not None:
            entry["size"] = each.size
        if each.kind != "commit":
            entry["url"] = f"{api}/{kinds[each.kind]}/{each.sha}"
        tree.append(entry)
    return Reply(data={"sha": sha, "url": f"{api}/trees/{sha}", "tree": tree, "truncated": len(entries) > most})


def get_commit(call: Call) -> Reply:
    """A commit with its files."""
    repo = call.repo
    name = str(call.args["ref"])
    sha = repo.git.resolve(name)
    if sha is None:
        raise validation_failed_sha(name)
    commit = repo.git.commit_info(sha)
    diff = repo.diff_between(commit.parents[0] if commit.parents else _empty(repo), sha)
    limits = call.options.limits
    files = files_json(
        call.urls, repo, diff, at=sha, limits=limits, beyond=call.options.beyond, most=limits.compare_files
    )
    stats = {"total": diff.additions + diff.deletions, "additions": diff.additions, "deletions": diff.deletions}
    return Reply(data=commit_json(call.urls, repo, commit) | {"stats": stats, "files": files})


def list_commits(call: Call) -> Reply:
    """The history of a branch or commit, newest first."""
    sha = commit_named(call.repo, call.query.get("sha") or call.repo.default_branch)
    return call.page([_shown(call, each) for each in call.repo.git.history(sha)])


def validation_failed_sha(name: str) -> ApiError:
    """422 for a sha that is none."""
    return ApiError(422, f"No commit found for SHA: {name}")


def _empty(repo: Repo) -> str:
    return repo.git.write_tree(None, {})


def compare(call: Call) -> Reply:
    """Three-dot comparison; the files come on the first page alone, at most 300."""
    repo, limits = call.repo, call.options.limits
    base_name, dots, head_name = str(call.args["basehead"]).partition("...")
    if not dots:
        raise not_found()
    base, head = (commit_named(repo, name.rsplit(":", 1)[-1]) for name in (base_name, head_name))
    start = repo.git.merge_base(base, head)
    if start is None:
        raise ApiError(404, "No common ancestor between " + f"{base_name} and {head_name}.")
    ahead, behind = repo.git.commits_between(base, head), repo.git.commits_between(head, base)
    states = {(False, False): "identical", (True, False): "ahead", (False, True): "behind", (True, True): "diverged"}
    links = {name: f"{call.urls.web}/{repo.full_name}/compare/{base_name}...{head_name}{tail}" for name, tail in _TAILS}
    page = int(call.query.get("page", "1") or 1)
    diff = repo.diff_between(start, head)
    data: dict[str, Json] = {
        "url": f"{call.urls.api}/repos/{repo.full_name}/compare/{base_name}...{head_name}",
        **links,
        "base_commit": _shown(call, repo.git.commit_info(base)),
        "merge_base_commit": _shown(call, repo.git.commit_info(start)),
        "status": states[bool(ahead), bool(behind)],
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
    }
    paged = call.page([_shown(call, each) for each in ahead])
    commits = paged.data if "page" in call.query or "per_page" in call.query else None
    data["commits"] = commits if commits is not None else [_shown(call, each) for each in ahead[: limits.commits]]
    if page == 1:
        data["files"] = files_json(
            call.urls, repo, diff, at=head, limits=limits, beyond=call.options.beyond, most=limits.compare_files
        )
    return Reply(data=data, headers=paged.headers)


_TAILS = (("html_url", ""), ("permalink_url", ""), ("diff_url", ".diff"), ("patch_url", ".patch"))


def _shown(call: Call, commit: CommitInfo) -> dict[str, Json]:
    return commit_json(call.urls, call.repo, commit)


def put_contents(call: Call) -> Reply:
    """Create or update a file with a commit of its own."""
    repo, path = call.repo, str(call.args["path"])
    message, encoded = call.needed("message"), call.needed("content")
    branch = call.text("branch", required=False) or repo.default_branch
    tip = repo.git.resolve(f"refs/heads/{branch}")
    old = repo.git.read(f"{tip}:{path}") if tip else None
    given = call.text("sha", required=False)
    if old is not None and given is None:
        raise ApiError(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if given is not None and (old is None or given != old[0]):
        raise ApiError(409, f"{path} does not match {given}")
    try:
        content = base64.b64decode(encoded, validate=False)
    except ValueError as error:
        raise validation_failed({"resource": "Blob", "field": "content", "code": "invalid"}) from error
    sha = repo.commit(branch, {path: content}, message, call.user.login)
    blob = repo.git.read(f"{sha}:{path}")
    assert blob is not None
    info = commit_json(call.urls, repo, repo.git.commit_info(sha))
    api = f"{call.urls.api}/repos/{repo.full_name}"
    commit = {
        **{name: info["commit"][name] for name in ("author", "committer", "message", "tree", "verification")},
        "sha": sha,
        "node_id": info["node_id"],
        "url": f"{api}/git/commits/{sha}",
        "html_url": info["html_url"],
        "parents": info["parents"],
    }
    shown = _entry(call, path, branch, blob[0], "file", len(content))
    return Reply(status=200 if old else 201, data={"content": shown, "commit": commit})


_REPO = "/repos/<owner>/<name>"
_READ = "contents:read"

ROUTES = {
    ("GET", f"{_REPO}/contents"): Route(run=get_contents, needs=_READ, docs="repos/contents#get-repository-content"),
    ("GET", f"{_REPO}/contents/<path:path>"): Route(
        run=get_contents, needs=_READ, docs="repos/contents#get-repository-content"
    ),
    ("PUT", f"{_REPO}/contents/<path:path>"): Route(
        run=put_contents, needs="contents:write", docs="repos/contents#create-or-update-file-contents"
    ),
    ("GET", f"{_REPO}/git/blobs/<sha>"): Route(run=get_blob, needs=_READ, docs="git/blobs#get-a-blob"),
    ("GET", f"{_REPO}/git/trees/<path:ref>"): Route(run=get_tree, needs=_READ, docs="git/trees#get-a-tree"),
    ("GET", f"{_REPO}/commits"): Route(run=list_commits, needs=_READ, docs="commits/commits#list-commits"),
    ("GET", f"{_REPO}/commits/<path:ref>"): Route(run=get_commit, needs=_READ, docs="commits/commits#get-a-commit"),
    ("GET", f"{_REPO}/compare/<path:basehead>"): Route(
        run=compare, needs=_READ, docs="commits/commits#compare-two-commits"
    ),
}
