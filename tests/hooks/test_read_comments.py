"""Comments as GitHub delivers them: its examples, and what they have none of, made of them by the published schema."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from bot.commands.model import CommentKind, CommentRef
from bot.hooks.decide import Rules, decide
from bot.hooks.events import CommentMade, Other, event_name
from bot.hooks.orders import AnswerComment, Nothing
from bot.hooks.read import MalformedDeliveryError, read_event

Make = Callable[..., Any]
HOOKS = Path(__file__).parents[1] / "contract" / "data" / "openapi-webhooks-12.1.0.json"
BOT = {"login": "autofix[bot]", "id": 9, "type": "Bot"}
KINDS = {
    CommentKind.CONVERSATION: ("issue_comment", "created", "comment"),
    CommentKind.THREAD: ("pull_request_review_comment", "created", "comment"),
    CommentKind.REVIEW: ("pull_request_review", "submitted", "review"),
}


@pytest.fixture(scope="module")
def faults() -> Callable[[str, Any], set[str]]:
    """What GitHub's schema of this event has against a payload."""
    contract = json.loads(HOOKS.read_text("utf-8"))
    validators = {
        name: jsonschema_rs.Draft202012Validator(
            {"allOf": [contract["webhooks"][f"{name}.{action}"]["payload"]], "$defs": contract["$defs"]}
        )
        for name, action, _ in KINDS.values()
    }
    return lambda name, payload: {
        f"{error.instance_path}: {error.message}"[:300] for error in validators[name].iter_errors(payload)
    }


@pytest.fixture(scope="module")
def said(example: Make, faults: Callable[[str, Any], set[str]]) -> Callable[..., Any]:
    """`said(kind, body, **changes)`: a payload in which somebody says that on a pull, as true to the schema as the example
    that it is made of, which is older than some members.
    """

    def make(kind: CommentKind, body: str | None, /, **changes: Any) -> Any:
        name, action, part = KINDS[kind]
        made = example(name, action, **{f"{part}__body": body})
        made["installation"] = {"id": 5, "node_id": "MDIzOk"}
        if kind is CommentKind.CONVERSATION:
            links = dict.fromkeys(("url", "html_url", "diff_url", "patch_url"), "https://api.example/x")
            made["issue"]["pull_request"] = links
        for path, value in changes.items():
            target, _, member = path.rpartition("__")
            at = made[part if target == "it" else target] if target else made
            at[member] = (
                {**at[member], **value} if isinstance(value, dict) and isinstance(at.get(member), dict) else value
            )
        assert faults(name, made) <= faults(name, example(name, action))
        return made

    return make


def read(kind: CommentKind, payload: Any) -> Any:
    return read_event(KINDS[kind][0], json.dumps(payload).encode())


@pytest.mark.parametrize("kind", CommentKind)
def test_a_comment_on_a_pull_is_read_with_its_place_its_writer_and_its_words(said: Make, kind: CommentKind) -> None:
    found = read(kind, said(kind, "/spark fix\r\n\tplease\x00\x9b"))
    assert isinstance(found, CommentMade)
    ids = {CommentKind.CONVERSATION: 492700400, CommentKind.THREAD: 284312630, CommentKind.REVIEW: 237895671}
    root = ids[kind] if kind is CommentKind.THREAD else None
    node = found.comment.node_id
    assert found.comment == CommentRef(kind=kind, id=ids[kind], node_id=node, root=root)  # type: ignore[arg-type]
    assert node.startswith("MD")
    assert (found.place.repo, found.place.installation) == ("Codertocat/Hello-World", 5)
    assert (found.sender.login, found.sender.is_bot, found.through_app) == ("Codertocat", False, False)
    assert found.number > 0
    assert found.body == "/spark fix\n\tplease  "
    assert event_name(found) == ".".join(KINDS[kind][:2])


def test_a_reply_names_the_comment_that_began_its_thread(said: Make) -> None:
    found = read(CommentKind.THREAD, said(CommentKind.THREAD, "Why?", it__in_reply_to_id=12))
    assert (found.comment.id, found.comment.root) == (284312630, 12)


def test_a_comment_on_an_issue_is_no_comment_on_a_pull(example: Make) -> None:
    for payload in (example("issue_comment", "created"), example("issue_comment", "created", issue__pull_request=None)):
        found = read(CommentKind.CONVERSATION, payload)
        assert isinstance(found, Other)
        assert found.why == "A comment on an issue, which is not a pull request"


@pytest.mark.parametrize(
    ("name", "action"),
    [(name, action) for name in ("issue_comment", "pull_request_review_comment") for action in ("edited", "deleted")]
    + [("pull_request_review", "edited")],
)
def test_edits_and_deletions_ask_for_nothing(example: Make, name: str, action: str) -> None:
    part = "review" if name == "pull_request_review" else "comment"
    like = {"edited": "submitted"}.get(action) if part == "review" else action
    payload = example(name, like, action=action, **{f"{part}__body": "/spark fix"})
    found = read_event(name, json.dumps(payload).encode())
    assert found == Other(what=f"{name}.{action}", why="Edits never ask for anything: write a new comment")
    dismissed = read_event("pull_request_review", json.dumps(example("pull_request_review", "dismissed")).encode())
    assert dismissed == Other(what="pull_request_review.dismissed")


@pytest.mark.parametrize("body", [None, "", " \r\n "])
def test_a_review_without_words_asks_for_nothing(said: Make, body: str | None) -> None:
    found = read(CommentKind.REVIEW, said(CommentKind.REVIEW, body))
    assert isinstance(found, Other)
    assert found.why == "A review without a text of its own"


@pytest.mark.parametrize("kind", CommentKind)
def test_bots_and_apps_are_known_by_any_sign(said: Make, kind: CommentKind) -> None:
    for changes in ({"sender": BOT}, {"it__user": BOT}, {"it__user": {"type": "Bot"}}, {"sender": {"login": "x[bot]"}}):
        assert read(kind, said(kind, "/spark fix", **changes)).sender.is_bot, changes
    if kind is CommentKind.CONVERSATION:
        app = {
            "id": 1, "name": "x", "node_id": "MDM6QXBw", "owner": None, "description": None, "external_url": "https://x.example",
            "html_url": "https://x.example", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            "permissions": {}, "events": [],
        }  # fmt: skip
        app["owner"] = said(kind, "x")["sender"]
        assert read(kind, said(kind, "/spark fix", it__performed_via_github_app=app)).through_app


@pytest.mark.parametrize("kind", CommentKind)
def test_the_account_that_is_gone_is_nobody_and_not_whoever_has_the_name_ghost(said: Make, kind: CommentKind) -> None:
    found = read(kind, said(kind, "/spark fix", it__user=None))
    assert isinstance(found, Other)
    assert found.why == "The account that wrote it is gone"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("comment", None),
        ("comment__id", None),
        ("comment__id", "5"),
        ("comment__node_id", None),
        ("comment__node_id", "a b"),
        ("comment__node_id", "x" * 201),
        ("comment__body", 7),
        ("comment__in_reply_to_id", "12"),
        ("comment__in_reply_to_id", 0),
        ("comment__user__login", None),
        ("pull_request", None),
        ("pull_request__number", 0),
        ("repository", None),
    ],
)
def test_what_is_wrong_in_a_comment_is_told_by_its_path(example: Make, path: str, value: Any) -> None:
    payload = example("pull_request_review_comment", "created")
    *names, last = path.split("__")
    part = payload
    for name in names:
        part = part[name]
    part[last] = value
    with pytest.raises(MalformedDeliveryError) as caught:
        read(CommentKind.THREAD, payload)
    assert str(caught.value).startswith("$." + path.replace("__", ".") + " is ")


def test_the_longest_comment_goes_from_bytes_to_its_order_in_a_few_milliseconds_more(said: Make) -> None:
    line = "A line of an ordinary report with a link https://example.org/a and `code` and so on, as they are.\n"
    rules = Rules(app_id=1, app_slug="spark", allowed_repos=())

    def seconds(body: str) -> float:
        text = json.dumps(said(CommentKind.CONVERSATION, body)).encode()
        rounds = []
        for _ in range(5):
            began = time.process_time()
            for _ in range(10):
                order = decide(read_event("issue_comment", text), rules, reviews_drafts=lambda _: False)
            rounds.append((time.process_time() - began) / 10)
        assert isinstance(order, AnswerComment if body.startswith("/spark") else Nothing)
        return min(rounds)

    short = seconds("Fine.")
    for begin in ("", "/spark ask why?\n"):
        long = begin + (line * 700)[: 65_536 - len(begin)]
        assert len(long) == 65_536
        assert seconds(long) - short < 0.005
