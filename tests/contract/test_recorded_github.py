"""The stand-in beside real exchanges with GitHub: statuses, and the members of bodies and headers.

The recordings lie outside this repository; without them the tests skip. They are from 2013 to 2024, so GitHub has added
members since, and dropped a few (`DROPPED`).
"""

from __future__ import annotations

import base64
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.github import Seen

RECORDED = Path(__file__).parents[3] / "shared" / "recorded-github"
pytestmark = [
    pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings of GitHub's traffic are not here"),
    pytest.mark.wrong_requests,
]

FIRST_YEAR = 2016
"""Older bodies have too much that GitHub has dropped."""
DROPPED = {"permissions", "squash_merge_commit_title", "single_file_name", "parent", "source", "temp_clone_token"} | {
    # Settings of the repository, shown only to those who may change them.
    *("allow_squash_merge", "allow_merge_commit", "allow_rebase_merge", "allow_auto_merge", "allow_update_branch"),
    *("delete_branch_on_merge", "use_squash_pr_title_as_default", "merge_commit_message", "merge_commit_title"),
    *("squash_merge_commit_message", "organization", "subscribers_count", "network_count", "template_repository"),
    # Of the old preview of the API.
    *("assignee", "squirrel-girl", "integration_id", "user_id"),
}
TRANSPORT = {
    # What the connection, the proxies and the token of the recorder had.
    *("connection", "transfer-encoding", "content-length", "content-encoding", "status", "server", "date", "age"),
    *("x-oauth-scopes", "x-accepted-oauth-scopes", "github-authentication-token-expiration", "last-modified"),
    *("x-runtime-rack", "x-served-by", "x-poll-interval", "x-accepted-github-permissions", "etag", "deprecation"),
    *("sunset", "accept-ranges", "x-github-sso", "x-commonmarker-version", "x-oauth-client-id"),
}


@dataclass(frozen=True)
class Exchange:
    method: str
    path: str
    status: int
    year: int
    headers: dict[str, str]
    body: Any


def _text(body: dict[str, str]) -> str:
    if body.get("base64_string"):
        return base64.b64decode(body["base64_string"]).decode("utf-8", "replace")
    return body.get("string", "")


def _json(text: str) -> Any:
    """The body; where a placeholder of the recorder stands for a number, it is made one."""
    for candidate in (text, re.sub(r"<[A-Z_]+>", "1", text)):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    return None


def exchanges() -> Iterator[Exchange]:
    for path in sorted(RECORDED.glob("**/*.json")):
        for each in json.loads(path.read_text("utf-8"))["http_interactions"]:
            request, response = each["request"], each["response"]
            headers = {name.lower(): values[0] for name, values in response["headers"].items()}
            year = re.search(r"20\d\d", headers.get("date", ""))
            yield Exchange(
                method=request["method"].upper(),
                path=request["uri"].removeprefix("https://api.github.com").partition("?")[0],
                status=response["status"]["code"],
                year=int(year[0]) if year else 0,
                headers=headers,
                body=_json(_text(response["body"])),
            )


def _pattern(route: str) -> re.Pattern[str]:
    tail = {"ref", "path", "basehead"}
    parts = re.split(r"(\{[^}]*\})", route)
    return re.compile(
        "".join(
            (".+" if part[1:-1] in tail else "[^/]+") if part.startswith("{") else re.escape(part) for part in parts
        )
    )


@pytest.fixture(scope="module")
def pairs(walked: list[Seen]) -> dict[str, tuple[list[Exchange], list[Seen]]]:
    """Operation to what GitHub answered and what the stand-in answered."""
    ours: dict[str, list[Seen]] = defaultdict(list)
    for seen in walked:
        if seen.route:
            ours[f"{seen.method} {seen.route}"].append(seen)
    specific = sorted(ours, key=lambda operation: (operation.count("{"), -len(operation)))
    theirs: dict[str, list[Exchange]] = defaultdict(list)
    for exchange in exchanges():
        if "/check-suites" in exchange.path:
            continue
        for operation in specific:
            method, _, route = operation.partition(" ")
            if method == exchange.method and _pattern(route).fullmatch(exchange.path):
                theirs[operation].append(exchange)
                break
    return {operation: (theirs[operation], ours[operation]) for operation in theirs}


def members(value: Any, path: str = "") -> set[str]:
    """The paths of all members of a JSON value; lists are looked into at every element."""
    if isinstance(value, list):
        return set().union(*(members(each, f"{path}[]") for each in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    own = {f"{path}/{name}" for name in value}
    return own.union(*(members(each, f"{path}/{name}") for name, each in value.items()))


def objects(value: Any, path: str = "") -> set[str]:
    """The paths at which there is an object, so that a null of ours is not taken for a lack of members."""
    if isinstance(value, list):
        return set().union(*(objects(each, f"{path}[]") for each in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    return {path}.union(*(objects(each, f"{path}/{name}") for name, each in value.items()))


def test_many_operations_are_in_the_recordings(pairs: Any) -> None:
    assert len(pairs) >= 25


def test_every_recorded_status_is_one_of_the_stand_in_s(pairs: Any) -> None:
    off = {
        f"{operation}: {exchange.status}"
        for operation, (theirs, ours) in pairs.items()
        for exchange in theirs
        if exchange.status not in {seen.status for seen in ours}
    }
    assert off == set()


def test_no_member_of_a_recorded_body_is_missing(pairs: Any) -> None:
    missing: dict[str, set[str]] = {}
    for operation, (theirs, ours) in pairs.items():
        for status in {exchange.status for exchange in theirs if exchange.year >= FIRST_YEAR}:
            bodies = [seen.answer_json for seen in ours if seen.status == status and seen.answer[:1] in {b"{", b"["}]
            have = set().union(*(members(body) for body in bodies))
            places = set().union(*(objects(body) for body in bodies))
            for exchange in theirs:
                if exchange.year < FIRST_YEAR or exchange.status != status:
                    continue
                gone = {
                    path
                    for path in members(exchange.body) - have
                    if path.rsplit("/", 1)[0] in places
                    and "/request/payload" not in path
                    and not set(path.split("/")) & DROPPED
                }
                if gone:
                    missing.setdefault(f"{operation} {status}", set()).update(gone)
    assert missing == {}


def test_no_header_of_a_recent_answer_is_missing(pairs: Any) -> None:
    missing: dict[str, set[str]] = {}
    for operation, (theirs, ours) in pairs.items():
        for exchange in theirs:
            if exchange.year < 2023:
                continue
            answers = [seen for seen in ours if seen.status == exchange.status]
            have = {name.lower() for seen in answers for name in seen.answer_headers}
            gone = set(exchange.headers) - have - TRANSPORT
            # Only a listing of more than one page has it.
            gone -= {"link"}
            if gone:
                missing.setdefault(operation, set()).update(gone)
    assert missing == {}


def test_errors_are_told_in_the_recorded_words(pairs: Any, walked: list[Seen]) -> None:
    del pairs
    recorded = {(each.status, each.body["message"]) for each in exchanges() if each.status in {401, 404}}
    assert recorded == {(401, "Bad credentials"), (404, "Not Found")}
    ours = {(seen.status, seen.answer_json["message"]) for seen in walked if seen.status in {401, 404}}
    assert recorded <= ours
    (twice,) = [each.body for each in exchanges() if each.status == 422]
    assert twice["message"] == "Validation Failed"
    again = next(seen.answer_json for seen in walked if seen.status == 422 and seen.route.endswith("/pulls"))
    for key in ("resource", "code"):
        assert again["errors"][0][key] == twice["errors"][0][key]
    said, theirs = again["errors"][0]["message"], twice["errors"][0]["message"]
    assert said.rsplit(" ", 1)[0] == theirs.rsplit(" ", 1)[0]


def test_a_link_header_has_the_recorded_form(walked: list[Seen]) -> None:
    form = re.compile(r'<https?://[^>]+[?&]page=\d+[^>]*>; rel="(?:next|last|first|prev)"')
    theirs = [each.headers["link"] for each in exchanges() if "page=" in each.headers.get("link", "")]
    ours = [seen.answer_headers["Link"] for seen in walked if "Link" in seen.answer_headers]
    assert theirs
    assert ours
    for link in (*theirs, *ours):
        # A placeholder of the recorder has angle brackets of its own.
        if "cursor" not in link and "<GITHUB" not in link:
            assert all(form.fullmatch(part) for part in link.split(", "))
