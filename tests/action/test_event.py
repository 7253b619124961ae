"""GitHub's published example payloads, as the runner would hand them on."""

from __future__ import annotations

import copy
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.action.event import CommentWork, GroupWork, NoWork, ReviewWork, Work, read_work
from bot.action.inputs import Inputs
from bot.commands.model import CommentKind
from bot.errors import ConfigError, UserError
from bot.hooks.payload import MalformedDeliveryError
from bot.review.config import Trigger
from bot.review.model import RepoName

DATA = Path(__file__).parents[1] / "data" / "webhooks" / "examples.json.xz"
Read = Callable[..., Work]


@pytest.fixture(scope="module")
def examples() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = json.loads(lzma.decompress(DATA.read_bytes()))
    return found


@pytest.fixture
def payload(examples: dict[str, list[Any]]) -> Callable[..., Any]:
    """An example of an event and action, with values at paths changed (`pull_request__head__repo=None`)."""

    def make(event: str, action: str | None = None, /, **changes: Any) -> Any:
        made = copy.deepcopy(next(each for each in examples[event] if action is None or each["action"] == action))
        for path, value in changes.items():
            *names, last = path.split("__")
            part = made
            for name in names:
                part = part.setdefault(name, {})
            part[last] = value
        return made

    return make


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """The work of an event with this payload."""

    def work(event: str, payload: Any, *, actor: str = "mona", repo: str = "", pull: int | None = None) -> Work:
        place = tmp_path / "event.json"
        place.write_bytes(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
        env = {
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(place),
            "GITHUB_REPOSITORY": repo or payload["repository"]["full_name"],
            "GITHUB_ACTOR": actor,
        }
        return read_work(env, Inputs(pull=pull))

    return work


@pytest.mark.parametrize(
    ("action", "trigger"),
    [
        ("opened", Trigger.OPENED),
        ("reopened", Trigger.OPENED),
        ("synchronize", Trigger.SYNCHRONIZE),
        ("ready_for_review", Trigger.READY_FOR_REVIEW),
        ("labeled", Trigger.LABEL),
        ("unlabeled", None),
        ("assigned", None),
        ("edited", None),
    ],
)
def test_every_action_on_an_open_pull_is_work(
    read: Read, payload: Callable[..., Any], action: str, trigger: Trigger | None
) -> None:
    given = payload("pull_request", "labeled", action=action, changes={})
    for event in ("pull_request", "pull_request_target"):
        work = read(event, given)
        assert isinstance(work, ReviewWork)
        assert (work.number, work.trigger, work.action) == (given["pull_request"]["number"], trigger, action)
        assert work.head_sha == given["pull_request"]["head"]["sha"]
        assert bool(work.label) == (action == "labeled")


def test_a_new_base_counts_as_a_push(read: Read, payload: Callable[..., Any]) -> None:
    work = read(
        "pull_request", payload("pull_request", "opened", action="edited", changes={"base": {"ref": {"from": "old"}}})
    )
    assert isinstance(work, ReviewWork)
    assert work.trigger is Trigger.SYNCHRONIZE


def test_a_bots_pull_is_work_for_the_workflow_lets_it_through(read: Read, payload: Callable[..., Any]) -> None:
    bot = {"login": "renovate[bot]", "type": "Bot", "id": 1}
    assert isinstance(
        read("pull_request", payload("pull_request", "opened", pull_request__user=bot, sender=bot)), ReviewWork
    )


@pytest.mark.parametrize(
    ("event", "head", "private", "actor", "why", "certain"),
    [
        ("pull_request", "own", False, "mona", "", False),
        ("pull_request", "ann/fork", False, "mona", "the pull request comes from a fork", True),
        ("pull_request", None, False, "mona", "the pull request comes from a fork", True),
        ("pull_request", "ann/fork", True, "mona", "the pull request comes from a fork", False),
        ("pull_request", "own", False, "dependabot[bot]", "Dependabot started this run", False),
        ("pull_request_target", "ann/fork", False, "mona", "", False),
        ("pull_request_target", "own", False, "dependabot[bot]", "", False),
    ],
)
def test_whose_token_may_write_nothing_is_known_of_the_payload(
    read: Read,
    payload: Callable[..., Any],
    event: str,
    head: str | None,
    private: bool,
    actor: str,
    why: str,
    certain: bool,
) -> None:
    given = payload("pull_request", "opened", repository__private=private)
    if head is None:
        given["pull_request"]["head"]["repo"] = None
    elif head != "own":
        given["pull_request"]["head"]["repo"]["full_name"] = head
    work = read(event, given, actor=actor)
    assert isinstance(work, ReviewWork)
    assert (work.read_only, work.is_certain) == (why, certain)


def test_the_input_pull_names_another_one(read: Read, payload: Callable[..., Any]) -> None:
    given = payload("pull_request", "opened")
    number = given["pull_request"]["number"]
    same, other = read("pull_request", given, pull=number), read("pull_request", given, pull=number + 1)
    assert isinstance(same, ReviewWork)
    assert isinstance(other, ReviewWork)
    assert (same.trigger, same.head_sha is None) == (Trigger.OPENED, False)
    assert (other.number, other.trigger, other.head_sha) == (number + 1, None, None)


@pytest.mark.parametrize("body", ["/spark review", "hello /spark", "nothing"])
def test_a_comment_is_an_order_or_nothing(read: Read, payload: Callable[..., Any], body: str) -> None:
    given = payload("issue_comment", "created", issue__pull_request={"url": "x"}, comment__body=body)
    given["comment"]["performed_via_github_app"] = None
    given["comment"]["user"]["type"] = given["sender"]["type"] = "User"
    work = read("issue_comment", given)
    if body == "/spark review":
        assert isinstance(work, CommentWork)
        assert (work.order.comment.kind, work.order.number) == (CommentKind.CONVERSATION, given["issue"]["number"])
        with pytest.raises(ConfigError, match="Leave the input pull out"):
            read("issue_comment", given, pull=given["issue"]["number"] + 1)
    else:
        assert work == NoWork(reason="A comment without a command")


@pytest.mark.parametrize(
    ("event", "action"),
    [("issue_comment", "created"), ("issue_comment", "edited"), ("pull_request_review_comment", "deleted")],
)
def test_comments_on_issues_and_edits_are_nothing_to_do(
    read: Read, payload: Callable[..., Any], event: str, action: str
) -> None:
    assert isinstance(read(event, payload(event, action)), NoWork)


def test_a_merge_group_is_named_by_its_commits(read: Read, payload: Callable[..., Any]) -> None:
    given = payload("merge_group", "checks_requested")
    work = read("merge_group", given)
    assert isinstance(work, GroupWork)
    group = given["merge_group"]
    assert (work.head_sha, work.base_sha) == (group["head_sha"], group["base_sha"])
    assert (work.head_ref, work.base_ref) == (group["head_ref"], group["base_ref"])
    with pytest.raises(ConfigError, match="merge group"):
        read("merge_group", given, pull=7)
    assert isinstance(read("merge_group", {**given, "action": "destroyed"}), NoWork)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"action": "created"}', b'{"action": 3, "action": 4}', b"\xff"])
def test_a_file_that_is_no_payload_is_refused_in_one_line(read: Read, body: bytes) -> None:
    for event in ("pull_request", "issue_comment", "merge_group"):
        with pytest.raises(MalformedDeliveryError):
            read(event, body, repo="acme/shop")


@pytest.mark.parametrize(
    ("payload_inputs", "number"), [({"pull": "7"}, 7), ({"number": "#8"}, 8), ({"pull": "", "number": "9"}, 9)]
)
def test_a_dispatched_run_is_told_its_pull_by_the_form(read: Read, payload_inputs: dict[str, str], number: int) -> None:
    body = json.dumps({"inputs": payload_inputs}).encode()
    assert read("workflow_dispatch", body, repo="acme/shop") == ReviewWork(repo=RepoName("acme/shop"), number=number)
    other = read("workflow_dispatch", body, repo="acme/shop", pull=5)
    assert isinstance(other, ReviewWork)
    assert other.number == 5


@pytest.mark.parametrize("name", ["", "acme", "acme/..", "acme/shop/x", "acme/../x", "a b/c"])
def test_a_repository_that_cannot_be_one_goes_into_no_address(read: Read, name: str) -> None:
    with pytest.raises(UserError, match="GITHUB_REPOSITORY"):
        read("workflow_dispatch", b'{"inputs": {"pull": "7"}}', repo=name or " ")
