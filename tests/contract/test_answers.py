"""Every operation of the stand-in is used over HTTP, and every answer held against GitHub's OpenAPI."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bot.sandbox.github import GitHubOptions, GitHubServer, Rates, Seen
from bot.sandbox.github.routes import ROUTES

REPO = "/repos/octo/demo"


@pytest.mark.wrong_requests
def test_every_operation_was_used_and_answered_well(walked: list[Seen]) -> None:
    used = {(seen.method, re.sub(r"\{[^}]*\}", "{}", seen.route)) for seen in walked if seen.status < 400}
    assert {(method, re.sub(r"<[^>]*>", "{}", path)) for method, path in ROUTES} - used == set()


@pytest.mark.wrong_requests
def test_every_answer_is_as_githubs_contract_says(walked: list[Seen], contract_checker: Any) -> None:
    assert {seen.status for seen in walked} >= {200, 201, 202, 204, 401, 403, 404, 422}
    assert contract_checker.problems_of(walked, requests=False) == []


def test_a_used_up_hour_is_answered_as_githubs_contract_says(contract_checker: Any, prepared: Any) -> None:
    with GitHubServer(GitHubOptions(rates=Rates(per_hour=1))) as server:
        walk, _ = prepared(server)
        walk("GET", REPO)
        assert "rate limit exceeded" in walk("GET", REPO, ok=403)["message"]
        walk.connection.close()
        assert contract_checker.problems_of(server.requests) == []


def test_an_answer_that_has_not_changed_is_304_and_free(contract_checker: Any, prepared: Any) -> None:
    with GitHubServer() as server:
        walk, _ = prepared(server)
        walk("GET", REPO)
        (seen,) = server.requests
        walk.connection.request(
            "GET",
            f"/api/v3{REPO}",
            headers={"Authorization": "Bearer alice", "If-None-Match": seen.answer_headers["ETag"]},
        )
        answer = walk.connection.getresponse()
        assert (answer.status, answer.read()) == (304, b"")
        assert answer.headers["X-RateLimit-Used"] == "1"
        server.world.repo("octo/demo").commit("main", {"z": "1"})
        server.world.repo("octo/demo").open_pull("Z", head="main", base="work")
        walk.connection.request(
            "GET",
            f"/api/v3{REPO}",
            headers={"Authorization": "Bearer alice", "If-None-Match": seen.answer_headers["ETag"]},
        )
        answer = walk.connection.getresponse()
        answer.read()
        assert answer.status == 200
        walk.connection.close()
