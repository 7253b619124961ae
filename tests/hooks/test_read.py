"""Payloads become typed events, or an error that names the place."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import UserError
from bot.hooks.events import (
    CheckAsked,
    CheckedPull,
    GroupAsked,
    InstallationChanged,
    Other,
    Ping,
    PullAction,
    PullChanged,
    SuiteAsked,
    event_name,
)
from bot.hooks.read import MalformedDeliveryError, read_event

Make = Callable[..., Any]
SHA = "a" * 40


def body(payload: Any) -> bytes:
    return json.dumps(payload).encode()


def walk(value: Any) -> Any:
    yield value
    if is_dataclass(value):
        for each in fields(value):
            yield from walk(getattr(value, each.name))
    elif isinstance(value, tuple):
        for member in value:
            yield from walk(member)


def test_every_example_of_githubs_is_read_and_no_dict_leaves(examples: dict[str, list[Any]]) -> None:
    kinds: Counter[str] = Counter()
    for name, payloads in examples.items():
        for payload in payloads:
            event = read_event(name, body(payload))
            kinds[type(event).__name__] += 1
            assert not [each for each in walk(event) if isinstance(each, dict | list)]
            assert event_name(event) == (f"{name}.{payload['action']}" if payload.get("action") else name)
    assert sum(kinds.values()) == 329
    assert kinds - Counter(Other=329) == {
        "PullChanged": 17,
        "InstallationChanged": 10,
        "Ping": 4,
        "CheckAsked": 3,
        "SuiteAsked": 2,
        "GroupAsked": 2,
        # Every example of a comment in the conversation is on an issue, and every example of a review has no text.
        "CommentMade": 3,
    }


def test_a_pull_is_read_with_all_that_is_needed(event: Make) -> None:
    found = event("pull_request", "opened", installation={"id": 5}, pull_request__title="Fix it")
    assert isinstance(found, PullChanged)
    assert found.action is PullAction.OPENED
    assert found.place.installation == 5
    pull = found.pull
    assert (pull.title, pull.is_open, pull.draft) == ("Fix it", True, False)
    assert pull.number > 0
    assert len(pull.head_sha) == len(pull.base_sha) == 40
    assert pull.head_repo == found.place.repo


def test_a_title_keeps_no_secret(event: Make) -> None:
    found = event(
        "pull_request", "opened", pull_request__title=f"Use ghp_{'a1' * 18} at <b>https://me:hunter2secret@x</b>"
    )
    assert found.pull.title == "Use ghp_••• at <b>https://me:•••@x</b>"


def test_a_forks_head_and_a_deleted_fork_are_told_apart(event: Make) -> None:
    fork = event("pull_request", "opened", pull_request__head__repo__full_name="stranger/demo")
    assert fork.pull.head_repo == "stranger/demo"
    assert event("pull_request", "opened", pull_request__head__repo=None).pull.head_repo is None


def test_accounts_that_are_gone_become_ghost(event: Make) -> None:
    found = event("pull_request", "opened", pull_request__user=None, sender=None)
    assert (found.pull.author, found.pull.author_is_bot) == ("ghost", False)
    assert (found.sender.login, found.sender.is_bot) == ("ghost", False)


@pytest.mark.parametrize(
    "user", [{"login": "renovate[bot]", "type": "Bot"}, {"login": "x[bot]"}, {"login": "y", "type": "Bot"}]
)
def test_a_bot_is_known_by_its_type_or_its_name(event: Make, user: Any) -> None:
    found = event("pull_request", "opened", sender=user, pull_request__user=user)
    assert found.sender.is_bot
    assert found.pull.author_is_bot


def test_a_webhook_of_a_repository_names_no_installation(event: Make) -> None:
    assert event("pull_request", "opened", installation=None).place.installation == 0
    assert event("pull_request", "closed", installation=...).place.installation == 0


def test_edited_matters_only_with_another_base(event: Make) -> None:
    base = {"base": {"ref": {"from": "main"}, "sha": {"from": SHA}}}
    found = event("pull_request", "opened", action="edited", changes=base)
    assert found.action is PullAction.RETARGETED
    assert event_name(found) == "pull_request.edited"
    for changes in ({}, None, {"title": {"from": "x"}}, {"base": None}):
        assert event("pull_request", "opened", action="edited", changes=changes) == Other(what="pull_request.edited")


def test_labeled_brings_its_label(event: Make) -> None:
    assert event("pull_request", "labeled", label={"name": "spark"}).label == "spark"
    assert event("pull_request", "labeled", label=None).label == ""


def test_a_rerequested_check_names_its_pulls_and_its_app(event: Make) -> None:
    found = event("check_run", "requested_action", action="rerequested", check_run__external_id=None)
    assert isinstance(found, CheckAsked)
    assert found.pulls == (CheckedPull(number=26764, head_sha=found.head_sha, base_ref="master"),)
    assert (found.app_id, found.name, found.external_id, found.identifier) == (25811, "API Review", "", "")
    assert event("check_run", "rerequested", check_run__pull_requests=None).pulls == ()
    assert event("check_run", "rerequested", check_run__app=None).app_id == 0


def test_a_button_brings_its_identifier(event: Make) -> None:
    found = event("check_run", "requested_action")
    assert found.identifier == "lgtm|26764"
    assert event_name(found) == "check_run.requested_action"
    with pytest.raises(MalformedDeliveryError, match=r"\$\.requested_action\.identifier is empty"):
        event("check_run", "requested_action", requested_action__identifier="")


def test_a_pull_into_another_repository_is_not_ours(event: Make) -> None:
    found = event("check_suite", "rerequested", repository__id=7)
    assert isinstance(found, SuiteAsked)
    assert found.pulls == ()
    assert len(event("check_suite", "rerequested").pulls) == 1


def test_a_merge_groups_head_is_read(event: Make) -> None:
    found = event("merge_group", "checks_requested")
    assert isinstance(found, GroupAsked)
    assert found.head_ref.startswith("refs/heads/gh-readonly-queue/main/pr-104-")
    assert (found.base_ref, len(found.base_sha)) == ("refs/heads/main", 40)
    assert event("merge_group", "checks_requested", action="destroyed") == Other(what="merge_group.destroyed")


def test_installations_tell_what_was_removed(event: Make) -> None:
    removed = {
        action: event("installation", action).removed for action in ("deleted", "suspend", "created", "unsuspend")
    }
    assert removed == {"deleted": True, "suspend": True, "created": False, "unsuspend": False}
    found = event("installation_repositories", "removed")
    assert isinstance(found, InstallationChanged)
    assert found.repos_removed == ("octocat/Hello-World",)
    assert not found.removed
    assert event("installation_repositories", "added").repos_removed == ()
    enterprise = event("installation", "created", installation__account={"slug": "acme", "name": "Acme"})
    assert enterprise.account == "acme"


def test_a_ping_is_read_even_without_its_zen(event: Make) -> None:
    assert event("ping", zen="Keep it simple.") == Ping(zen="Keep it simple.")
    assert event("ping", zen=...) == Ping(zen="")


def test_an_event_that_nobody_reads_is_other_whatever_is_in_it() -> None:
    assert read_event("issues", b'{"action": "opened", "issue": 7}') == Other(what="issues.opened")
    assert read_event("push", b"{}") == Other(what="push")
    assert read_event("odd", b'{"action": {"a": 1}}') == Other(what="odd")
    assert len(event_name(read_event("x" * 50, body({"action": "y" * 5000})))) <= 100


def test_members_that_are_new_to_us_do_not_matter(event: Make) -> None:
    found = event("pull_request", "opened", pull_request__quantum={"a": [None]}, another=1.5)
    assert found == event("pull_request", "opened")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("action", None),
        ("action", 7),
        ("repository", None),
        ("repository", []),
        ("repository__full_name", "octo"),
        ("repository__full_name", "octo/.."),
        ("repository__full_name", "octo/."),
        ("repository__full_name", "octo/demo/../../x"),
        ("repository__full_name", "octo/demo?x=1"),
        ("repository__full_name", "octo/demo\n"),
        ("repository__full_name", "октo/demo"),
        ("repository__full_name", "octo/" + "x" * 101),
        ("repository__id", 0),
        ("repository__id", -1),
        ("repository__id", 2**63),
        ("repository__id", True),
        ("repository__id", 7.0),
        ("repository__id", "7"),
        ("installation", 7),
        ("installation__id", None),
        ("sender", "alice"),
        ("sender__login", None),
        ("pull_request", None),
        ("pull_request__number", 2**31),
        ("pull_request__number", "7"),
        ("pull_request__title", None),
        ("pull_request__state", None),
        ("pull_request__draft", "false"),
        ("pull_request__user__login", 7),
        ("pull_request__head", None),
        ("pull_request__head__sha", "a" * 39),
        ("pull_request__head__sha", "A" * 40),
        ("pull_request__head__sha", "٤" * 40),
        ("pull_request__head__sha", SHA + "\n"),
        ("pull_request__head__repo", 7),
        ("pull_request__head__repo__full_name", None),
        ("pull_request__base__sha", None),
        ("pull_request__base__ref", ""),
        ("pull_request__base__ref", "a..b"),
        ("pull_request__base__ref", "a b"),
        ("pull_request__base__ref", "a\0b"),
        ("pull_request__base__ref", "x" * 256),
        ("pull_request__base__ref", "/main"),
    ],
)
def test_what_is_wrong_is_told_by_its_path(example: Make, path: str, value: Any) -> None:
    payload = example("pull_request", "opened")
    payload["installation"] = {"id": 5}
    *names, last = path.split("__")
    part = payload
    for name in names:
        part = part[name]
    part[last] = value
    with pytest.raises(MalformedDeliveryError) as caught:
        read_event("pull_request", body(payload))
    assert str(caught.value).startswith("$." + path.replace("__", ".") + " is ")
    assert isinstance(caught.value, UserError)
    assert "\n" not in str(caught.value)


def test_a_place_in_a_list_is_told_with_its_index(example: Make) -> None:
    payload = example("check_run", "requested_action")
    payload["check_run"]["pull_requests"].append({"base": {"repo": {"id": "x"}}})
    with pytest.raises(
        MalformedDeliveryError, match=r"^\$\.check_run\.pull_requests\[1\]\.base\.repo\.id is a text, not a number"
    ):
        read_event("check_run", body(payload))


def test_texts_for_people_are_cut_and_lose_their_control_characters(event: Make) -> None:
    found = event("pull_request", "opened", pull_request__title="a\0b\r\n\x1b[31mc\x9b" + "x" * 5000)
    assert found.pull.title.startswith("a b   [31mc x")
    assert len(found.pull.title) == 300


def test_a_commit_of_sha_256_is_a_commit(event: Make) -> None:
    assert event("pull_request", "opened", pull_request__head__sha="b" * 64).pull.head_sha == "b" * 64


@pytest.mark.parametrize(
    ("why", "text"),
    [
        ("empty", b""),
        ("cut short", b'{"action": "opened"'),
        ("two values", b"{}{}"),
        ("NaN", b'{"a": NaN}'),
        ("Infinity", b'{"a": -Infinity}'),
        ("a member twice", b'{"action": "opened", "action": "closed"}'),
        ("not UTF-8", b'{"a": "\xff"}'),
        ("UTF-16", '{"a": 1}'.encode("utf-16")),
        ("a byte order mark", b"\xef\xbb\xbf{}"),
        ("half of a surrogate pair", b'{"a": "\\ud800"}'),
        ("deep lists", b"[" * 100_000),
        ("deep objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        ("a number of 5,000 digits", b'{"a": ' + b"9" * 5_000 + b"}"),
        ("a form", b"payload=%7B%7D"),
        ("a comment", b"{} // x"),
    ],
)
def test_what_is_no_clean_json_is_refused(why: str, text: bytes) -> None:
    for name in ("pull_request", "issues"):
        with pytest.raises(MalformedDeliveryError, match="is not JSON"):
            read_event(name, text)


@pytest.mark.parametrize(
    ("text", "kind"), [(b"[]", "a list"), (b"null", "null"), (b'"x"', "a text"), (b"7", "a number"), (b"true", "true")]
)
def test_json_that_is_no_object_is_refused(text: bytes, kind: str) -> None:
    with pytest.raises(MalformedDeliveryError, match=f"{kind}.*, not a JSON object"):
        read_event("ping", text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(
    [
        "pull_request",
        "check_run",
        "check_suite",
        "merge_group",
        "installation",
        "installation_repositories",
        "issue_comment",
        "pull_request_review_comment",
        "pull_request_review",
        "ping",
        "x",
    ]
)


@settings(max_examples=150, deadline=None)
@given(name=names, data=st.data())
def test_any_value_anywhere_gives_an_event_or_a_named_place(
    examples: dict[str, list[Any]], name: str, data: st.DataObject
) -> None:
    payload = data.draw(st.sampled_from(examples.get(name, examples["issues"])))
    text = json.loads(json.dumps(payload))
    part: Any = text
    while True:
        key = data.draw(st.sampled_from(sorted(part)))
        if not isinstance(part[key], dict) or not part[key] or data.draw(st.booleans()):
            break
        part = part[key]
    part[key] = data.draw(json_values)
    told, event = "$.", None
    try:
        event = read_event(name, json.dumps(text).encode())
    except MalformedDeliveryError as exc:
        told = str(exc)
    assert told.startswith(("$.", "The body is"))
    assert event is None or 0 < len(event_name(event)) <= 100


@settings(max_examples=100, deadline=None)
@given(name=names, text=st.binary(max_size=60))
def test_any_bytes_give_an_event_or_one_error(name: str, text: bytes) -> None:
    try:
        read_event(name, text)
    except MalformedDeliveryError:
        return
    assert json.loads(text) is not None


def test_a_payload_of_30_kilobytes_is_read_in_under_a_third_of_a_millisecond(example: Make) -> None:
    text = json.dumps(example("pull_request", "opened", pull_request__body="x" * 6_000), indent=1).encode()
    assert 28_000 < len(text) < 40_000
    rounds = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(50):
            read_event("pull_request", text)
        rounds.append((time.process_time() - began) / 50)
    assert min(rounds) < 0.000_3
