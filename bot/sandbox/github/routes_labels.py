"""Labels of a pull, which GitHub keeps with its issue."""

from __future__ import annotations

from bot.sandbox.github.call import ApiError, Call, Reply, Route, invalid_request, validation_failed
from bot.sandbox.github.gestures import label_pull, unlabel_pull
from bot.sandbox.github.records import Json
from bot.sandbox.github.shapes_pulls import label_json

_MOST = 100
"""Labels that an issue may have (error text of GitHub)."""
_LONGEST = 50
"""Characters of a label's name (error text of GitHub)."""


def list_labels(call: Call) -> Reply:
    """The labels on a pull."""
    return call.page(_shown(call))


def set_labels(call: Call) -> Reply:
    """Have these labels and no others. A name that the repository does not know becomes a label of it."""
    names = list(dict.fromkeys(_names(call.body)))
    if len(names) > _MOST:
        raise validation_failed({"resource": "Issue", "code": "too_many", "field": "labels"})
    for name in names:
        if not name.strip() or len(name) > _LONGEST:
            raise validation_failed({"resource": "Label", "code": "invalid", "field": "name", "value": name})
    if not call.who.is_integration and call.repo.level(call.user.login) in {"none", "read"}:
        raise ApiError(403, "Must have push access to repository")
    repo, number, login = call.repo, call.pull.number, call.user.login
    for name in [each for each in call.pull.labels if each not in names]:
        unlabel_pull(repo, number, name, by=login)
    for name in names:
        if name not in call.pull.labels:
            label_pull(repo, number, name, by=login)
    return Reply(data=_shown(call))


def _shown(call: Call) -> list[Json]:
    return [label_json(call.urls, call.repo, name) for name in call.pull.labels]


def _names(body: Json) -> list[str]:
    """`labels` of an object, or the list itself, or one name: OpenAPI's schema has the first, its prose the others."""
    listed = body.get("labels", []) if isinstance(body, dict) else [body] if isinstance(body, str) else body or []
    names = []
    for each in listed if isinstance(listed, list) else [None]:
        name = each.get("name") if isinstance(each, dict) else each
        if not isinstance(name, str):
            raise invalid_request("For 'links/2/schema', labels are names or objects with names.")
        names.append(name)
    return names


_LABELS = "/repos/<owner>/<name>/issues/<int:number>/labels"

ROUTES = {
    ("GET", _LABELS): Route(
        run=list_labels, needs="issues:read|pull_requests:read", docs="issues/labels#list-labels-for-an-issue"
    ),
    ("PUT", _LABELS): Route(
        run=set_labels, needs="issues:write|pull_requests:write", docs="issues/labels#set-labels-for-an-issue"
    ),
}
