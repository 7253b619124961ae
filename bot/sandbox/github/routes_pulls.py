"""Reading and changing pulls: the pull, its diff, files and commits."""

from __future__ import annotations

from bot.sandbox.github.call import ApiError, Call, Reply, Route, not_found, validation_failed
from bot.sandbox.github.git import GitError
from bot.sandbox.github.records import Pull
from bot.sandbox.github.shapes import commit_json
from bot.sandbox.github.shapes_pulls import files_json, full_pull_json, issue_json, pull_json


def get_pull(call: Call) -> Reply:
    """The pull as JSON, or its three-dot diff."""
    pull = call.pull
    if "vnd.github" in call.accept and ".diff" in call.accept:
        return pull_diff(call, pull)
    return Reply(data=full_pull_json(call.urls, call.repo, pull))


def pull_diff(call: Call, pull: Pull) -> Reply:
    """The diff as text. 406 beyond 300 files or 20,000 lines."""
    diff, limits = call.repo.diff(pull), call.options.limits
    if len(diff.files) > limits.diff_files:
        raise _too_large(f"files ({limits.diff_files})")
    if diff.text.count(b"\n") > limits.diff_lines:
        raise _too_large(f"lines ({limits.diff_lines})")
    return Reply(raw=diff.text, media="application/vnd.github.v3.diff; charset=utf-8")


def _too_large(what: str) -> ApiError:
    return ApiError(
        406,
        f"Sorry, the diff exceeded the maximum number of {what}. Consider using 'List pull requests files' API or "
        "locally cloning the repository instead.",
        errors=[{"resource": "PullRequest", "field": "diff", "code": "too_large"}],
    )


def list_pulls(call: Call) -> Reply:
    """Pulls by state, head (`owner:branch`) and base; newest first."""
    state, head, base = call.query.get("state", "open"), call.query.get("head"), call.query.get("base")
    found = []
    for pull in sorted(call.repo.pulls.values(), key=lambda each: -each.number):
        owner = (pull.head_repo or "unknown/").split("/")[0]
        if state not in {"all", pull.state}:
            continue
        if head is not None and head not in {f"{owner}:{pull.head_ref}", pull.head_ref}:
            continue
        if base is None or base == pull.base_ref:
            found.append(pull_json(call.urls, call.repo, pull))
    return call.page(found)


def create_pull(call: Call) -> Reply:
    """Open a pull. `head` is `branch` or `owner:branch`."""
    repo, head, base = call.repo, call.needed("head"), call.needed("base")
    title, body = call.needed("title"), call.text("body", required=False)
    source = repo
    if ":" in head:
        owner, head = head.split(":", 1)
        found = [each for each in call.world.repos.values() if each.owner.login.lower() == owner.lower()]
        forks = [each for each in found if each is repo or each.parent == repo.full_name]
        if not forks:
            raise validation_failed({"resource": "PullRequest", "field": "head", "code": "invalid"})
        source = forks[0]
    for pull in repo.pulls.values():
        same = pull.head_ref == head and pull.base_ref == base and pull.head_repo == source.full_name
        if pull.state == "open" and same:
            text = f"A pull request already exists for {source.owner.login}:{head}."
            raise validation_failed({"resource": "PullRequest", "code": "custom", "message": text})
    if source.git.resolve(head) is None:
        raise validation_failed({"resource": "PullRequest", "field": "head", "code": "invalid"})
    if repo.git.resolve(base) is None:
        raise validation_failed({"resource": "PullRequest", "field": "base", "code": "invalid"})
    pull = repo.open_pull(
        title,
        body,
        head=head,
        base=base,
        author=call.user.login,
        head_repo=source,
        draft=call.fields.get("draft") is True,
        maintainer_can_modify=call.fields.get("maintainer_can_modify") is not False,
    )
    data = full_pull_json(call.urls, repo, pull)
    return Reply(status=201, data=data, headers={"Location": data["url"]})


def update_pull(call: Call) -> Reply:
    """Change title, body, base or state."""
    repo, pull, login = call.repo, call.pull, call.user.login
    title, body, base = (call.text(name, required=False) for name in ("title", "body", "base"))
    repo.edit_pull(pull.number, title=title, body=body, base=base, by=login)
    lets = call.fields.get("maintainer_can_modify")
    if isinstance(lets, bool) and pull.head_repo != repo.full_name:
        pull.maintainer_can_modify = lets
    state = call.text("state", required=False)
    if state == "closed" and pull.state == "open":
        repo.close_pull(pull.number, by=login)
    elif state == "open" and pull.state == "closed":
        if pull.merged_at is not None:
            raise validation_failed(
                {
                    "resource": "PullRequest",
                    "code": "invalid",
                    "field": "state",
                    "message": "state cannot be changed. The pull request cannot be reopened.",
                }
            )
        repo.reopen_pull(pull.number, by=login)
    return Reply(data=full_pull_json(call.urls, repo, pull))


def list_files(call: Call) -> Reply:
    """The changed files, at most 3,000."""
    repo, pull, limits = call.repo, call.pull, call.options.limits
    diff = repo.diff(pull)
    files = files_json(
        call.urls,
        repo,
        diff,
        at=pull.head_sha,
        limits=limits,
        beyond=call.options.beyond,
        most=limits.list_files,
    )
    return call.page(files)


def list_commits(call: Call) -> Reply:
    """The pull's commits, oldest first, at most 250."""
    commits = call.repo.commits(call.pull)[: call.options.limits.commits]
    return call.page([commit_json(call.urls, call.repo, each) for each in commits])


def is_merged(call: Call) -> Reply:
    """204 for merged, 404 for not."""
    if call.pull.merged_at is None:
        raise not_found()
    return Reply(status=204)


def merge_pull(call: Call) -> Reply:
    """Merge with a merge commit."""
    repo, pull = call.repo, call.pull
    if pull.state != "open" or pull.draft:
        raise ApiError(405, "Pull Request is not mergeable")
    if call.fields.get("sha") not in {None, pull.head_sha}:
        raise ApiError(409, "Head branch was modified. Review and try the merge again.")
    try:
        sha = repo.merge_pull(pull.number, by=call.user.login)
    except GitError as error:
        raise ApiError(405, "Pull Request is not mergeable") from error
    return Reply(data={"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def get_issue(call: Call) -> Reply:
    """The pull seen as an issue."""
    return Reply(data=issue_json(call.urls, call.repo, call.pull))


def pulls_of_commit(call: Call) -> Reply:
    """The pulls that a commit belongs to."""
    repo, sha = call.repo, str(call.args["sha"])
    found = [pull for pull in repo.pulls.values() if any(commit.sha == sha for commit in repo.commits(pull))]
    return call.page([pull_json(call.urls, repo, pull) for pull in found])


_REPO = "/repos/<owner>/<name>"
_PULL = f"{_REPO}/pulls/<int:number>"

ROUTES = {
    ("GET", f"{_REPO}/pulls"): Route(run=list_pulls, needs="pull_requests:read", docs="pulls/pulls#list-pull-requests"),
    ("POST", f"{_REPO}/pulls"): Route(
        run=create_pull, needs="pull_requests:write", docs="pulls/pulls#create-a-pull-request", creates=True
    ),
    ("GET", _PULL): Route(run=get_pull, needs="pull_requests:read", docs="pulls/pulls#get-a-pull-request"),
    ("PATCH", _PULL): Route(run=update_pull, needs="pull_requests:write", docs="pulls/pulls#update-a-pull-request"),
    ("GET", f"{_PULL}/files"): Route(
        run=list_files, needs="pull_requests:read", docs="pulls/pulls#list-pull-requests-files"
    ),
    ("GET", f"{_PULL}/commits"): Route(
        run=list_commits, needs="pull_requests:read", docs="pulls/pulls#list-commits-on-a-pull-request"
    ),
    ("GET", f"{_REPO}/issues/<int:number>"): Route(
        run=get_issue, needs="issues:read|pull_requests:read", docs="issues/issues#get-an-issue"
    ),
    ("GET", f"{_REPO}/commits/<sha>/pulls"): Route(
        run=pulls_of_commit,
        needs="pull_requests:read",
        docs="commits/commits#list-pull-requests-associated-with-a-commit",
    ),
    ("GET", f"{_PULL}/merge"): Route(
        run=is_merged, needs="pull_requests:read", docs="pulls/pulls#check-if-a-pull-request-has-been-merged"
    ),
    ("PUT", f"{_PULL}/merge"): Route(run=merge_pull, needs="contents:write", docs="pulls/pulls#merge-a-pull-request"),
}
