"""The checker itself: what it must see in requests, and what it must let pass."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.sandbox.github import Seen

REPO = "/repos/{owner}/{name}"
PLACE = {"path": "a.py", "line": 3, "side": "RIGHT", "body": "x"}
REVIEW = {"commit_id": "0" * 40, "event": "COMMENT", "body": "b", "comments": [PLACE]}
NOTE = {"path": "a.py", "start_line": 1, "end_line": 1, "annotation_level": "warning", "message": "m"}
OUTPUT = {"title": "t", "summary": "s", "annotations": [NOTE]}
RUN = {"name": "spark", "head_sha": "0" * 40, "status": "completed", "conclusion": "neutral", "output": OUTPUT}
STATUS = {"state": "success", "context": "spark", "description": "d"}


def seen(method: str, route: str, body: Any, *, status: int = 0, answer: Any = None) -> Seen:
    return Seen(
        method=method,
        path=route,
        route=route,
        query={},
        headers={},
        body=json.dumps(body).encode() if body is not None else b"",
        status=status,
        answer=json.dumps(answer).encode(),
        answer_headers={"Content-Type": "application/json; charset=utf-8"},
        started=0.0,
        seconds=0.0,
    )


GOOD = [
    ("POST", f"{REPO}/pulls/{{number}}/reviews", REVIEW),
    ("POST", f"{REPO}/pulls/{{number}}/reviews", {"commit_id": "0" * 40, "comments": [PLACE]}),
    ("POST", f"{REPO}/pulls/{{number}}/comments", PLACE | {"commit_id": "0" * 40}),
    (
        "POST",
        f"{REPO}/pulls/{{number}}/comments",
        {"commit_id": "0" * 40, "path": "a", "body": "b", "subject_type": "file"},
    ),
    ("POST", f"{REPO}/check-runs", RUN),
    ("PATCH", f"{REPO}/check-runs/{{run}}", {"output": OUTPUT}),
    ("POST", f"{REPO}/statuses/{{sha}}", STATUS),
    ("POST", f"{REPO}/issues/{{number}}/comments", {"body": "x"}),
]


@pytest.mark.parametrize(("method", "route", "body"), GOOD)
def test_a_right_request_passes(contract_checker: Any, method: str, route: str, body: Any) -> None:
    assert contract_checker.problems_of([seen(method, route, body)]) == []


def review(**more: Any) -> tuple[str, Any]:
    return f"{REPO}/pulls/{{number}}/reviews", REVIEW | more


def place(**more: Any) -> tuple[str, Any]:
    return review(comments=[PLACE | more])


def run(**more: Any) -> tuple[str, Any]:
    return f"{REPO}/check-runs", RUN | more


def note(**more: Any) -> tuple[str, Any]:
    return run(output=OUTPUT | {"annotations": [NOTE | more]})


def single(**more: Any) -> tuple[str, Any]:
    return f"{REPO}/pulls/{{number}}/comments", {"commit_id": "0" * 40} | PLACE | more


WRONG = {
    "an event that does not exist": review(event="comment"),
    "a comment without a path": review(comments=[{"body": "x", "line": 3}]),
    "a comment without a body": review(comments=[{"path": "a", "line": 3}]),
    "a line that is text": place(line="3"),
    "a typing error in a side": place(side="Right"),
    "a key that reviews do not know": place(subject_type="file"),
    "a key that nobody knows": review(verdict="good"),
    "COMMENT without a body": review(body=""),
    "comments without a commit": review(commit_id=None),
    "a range that runs backwards": place(start_line=4, start_side="RIGHT"),
    "a range of one line": place(start_line=3, start_side="RIGHT"),
    "a range without its side": place(start_line=2),
    "line 0": place(line=0),
    "a body that is too long": place(body="x" * 65_537),
    "a summary that is too long": review(body="x" * 65_537),
    "neither line nor position": review(comments=[{"path": "a", "body": "x"}]),
    "FILE in upper case": single(subject_type="FILE"),
    "a single comment with no place": (
        f"{REPO}/pulls/{{number}}/comments",
        {"commit_id": "0" * 40, "path": "a", "body": "x"},
    ),
    "completed without a conclusion": (
        f"{REPO}/check-runs",
        {key: value for key, value in RUN.items() if key != "conclusion"},
    ),
    "a conclusion that does not exist": run(conclusion="passed"),
    "51 annotations": run(output=OUTPUT | {"annotations": [NOTE] * 51}),
    "an annotation's level": note(annotation_level="error"),
    "an annotation without a message": run(output=OUTPUT | {"annotations": [{"path": "a"}]}),
    "an annotation's message that is too long": note(message="x" * 65_537),
    "an annotation's title that is too long": note(title="x" * 256),
    "columns on several lines": note(end_line=2, start_column=1),
    "four actions": run(actions=[{"label": "l", "description": "d", "identifier": "i"}] * 4),
    "an output without a summary": run(output={"title": "t"}),
    "a status that does not exist": (f"{REPO}/statuses/{{sha}}", {"state": "passed"}),
    "a status's description": (f"{REPO}/statuses/{{sha}}", STATUS | {"description": "x" * 141}),
    "a comment of the conversation that is too long": (f"{REPO}/issues/{{number}}/comments", {"body": "x" * 65_537}),
    "a reaction that does not exist": (f"{REPO}/issues/comments/{{comment}}/reactions", {"content": "fire"}),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_request_is_seen(contract_checker: Any, what: str) -> None:
    route, body = WRONG[what]
    assert contract_checker.problems_of([seen("POST", route, body)])


@pytest.mark.parametrize(
    ("query", "variables", "good"),
    [
        ("query { viewer { id login } }", {}, True),
        ("query { viewer { email } }", {}, False),
        (
            "mutation($i: ResolveReviewThreadInput!) { resolveReviewThread(input: $i) { thread { id } } }",
            {"i": {"threadId": "x"}},
            True,
        ),
        (
            "mutation($i: ResolveReviewThreadInput!) { resolveReviewThread(input: $i) { thread { id } } }",
            {"i": {"id": "x"}},
            False,
        ),
        ("mutation($i: ResolveReviewThreadInput!) { resolveReviewThread(input: $i) { thread { id } } }", {}, False),
    ],
)
def test_graphql_is_held_against_the_official_schema(
    contract_checker: Any, query: str, variables: Any, good: bool
) -> None:
    found = contract_checker.problems_of([seen("POST", "/graphql", {"query": query, "variables": variables})])
    assert (found == []) is good


def test_a_wrong_answer_is_seen(contract_checker: Any) -> None:
    route = f"{REPO}/collaborators/{{login}}/permission"
    right = {"permission": "read", "role_name": "read", "user": None}
    assert contract_checker.problems_of([seen("GET", route, None, status=200, answer=right)]) == []
    for broken in ({"permission": 3, "role_name": "read", "user": None}, {"permission": "read"}):
        assert contract_checker.problems_of([seen("GET", route, None, status=200, answer=broken)])
    assert contract_checker.problems_of([seen("GET", route, None, status=202, answer=right)])


def test_an_operation_that_the_stand_in_lacks_is_seen(contract_checker: Any) -> None:
    unknown = Seen(
        method="GET",
        path="/gists",
        route="",
        query={},
        headers={},
        body=b"",
        status=404,
        answer=b"",
        answer_headers={},
        started=0.0,
        seconds=0.0,
    )
    assert contract_checker.problems_of([unknown])
