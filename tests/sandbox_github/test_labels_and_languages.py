from __future__ import annotations

import pytest

REPO = "/repos/octo/demo"
LABELS = f"{REPO}/issues/1/labels"


def names(answer) -> list[str]:
    return [each["name"] for each in answer.json]


@pytest.mark.wrong_requests
def test_labels_that_are_set_replace_those_that_were_there(desk) -> None:
    pull = desk.pull({"a.py": "1\n"}, {"a.py": "2\n"})
    told: list[tuple[str | None, object]] = []
    desk.world.listeners.append(lambda happened: told.append((happened.action, happened.subjects.get("label"))))
    assert names(desk.client.get(LABELS)) == []
    for body, left in (
        ({"labels": ["one", "two"]}, ["one", "two"]),
        (["two", "three", "two"], ["two", "three"]),
        ([{"name": "three"}], ["three"]),
        ("four", ["four"]),
        ({"labels": []}, []),
    ):
        assert names(desk.client.send("PUT", LABELS, body)) == left
        assert names(desk.client.get(LABELS)) == pull.labels == left
    assert told == [
        ("labeled", "one"),
        ("labeled", "two"),
        ("unlabeled", "one"),
        ("labeled", "three"),
        ("unlabeled", "two"),
        ("unlabeled", "three"),
        ("labeled", "four"),
        ("unlabeled", "four"),
    ]


@pytest.mark.wrong_requests
@pytest.mark.parametrize(
    "body",
    [[1], {"labels": [{"colour": "red"}]}, {"labels": 1}, {"labels": "one"}, [""], ["x" * 51], ["y"] * 3 + [" "]],
)
def test_what_is_no_label_is_refused_and_nothing_is_set(desk, body) -> None:
    pull = desk.pull({"a.py": "1\n"}, {"a.py": "2\n"})
    assert desk.client.send("PUT", LABELS, body).status == 422
    assert pull.labels == []


@pytest.mark.wrong_requests
def test_only_who_may_sort_pulls_sets_their_labels(desk) -> None:
    pull = desk.pull({"a.py": "1\n"}, {"a.py": "2\n"})
    desk.world.user("reader", "reader-token")
    assert desk.client.send("PUT", LABELS, ["one"], token="reader-token").status == 403
    assert desk.client.send("PUT", LABELS, ["one"], token=None).status == 401
    assert pull.labels == []
    token = desk.app()[1]
    assert desk.client.send("PUT", LABELS, ["one"], token=token).status == 200
    desk.repo.permission("reader", "triage")
    assert names(desk.client.send("PUT", LABELS, ["two"], token="reader-token")) == ["two"]


def test_languages_are_the_bytes_of_the_default_branch(desk) -> None:
    desk.pull(
        {"a.py": "1\n", "b/c.PY": "22\n", "d.ts": "1234567890\n", "e": "x\n", "f.unknown": "x\n"}, {"a.go": "x\n"}
    )
    answer = desk.client.get(f"{REPO}/languages")
    assert list(answer.json.items()) == [("TypeScript", 11), ("Python", 5)]


def test_a_repository_without_a_commit_has_no_language(desk) -> None:
    assert desk.client.get(f"{REPO}/languages").json == {}


def test_a_branch_is_given_with_its_newest_commit_whatever_its_name(desk) -> None:
    desk.repo.commit("main", {"a.py": "1\n"}, "Before")
    desk.repo.branch("some/work")
    sha = desk.repo.commit("some/work", {"a.py": "2\n"}, "After", "bob")
    branch = desk.client.get(f"{REPO}/branches/some/work").json
    assert (branch["name"], branch["commit"]["sha"], branch["protected"]) == ("some/work", sha, False)
    assert branch["commit"]["commit"]["message"] == "After"
    answer = desk.client.get(f"{REPO}/branches/none")
    assert (answer.status, answer.json["message"]) == (404, "Branch not found")
