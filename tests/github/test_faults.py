from __future__ import annotations

import json

import pytest

from bot.errors import CredentialsError, NotPermittedError, OutsideError, SparkError, UserError
from bot.github.faults import Cut, RateLimitedError, Reply, error_for, rate_wait, redact

DATE = "Sun, 22 Nov 2026 16:00:00 GMT"
EPOCH = 1795363200


def reply(status: int, message: str = "", headers: dict[str, str] | None = None, errors: object = None) -> Reply:
    body: dict[str, object] = {"message": message}
    if errors is not None:
        body["errors"] = errors
    return Reply(status=status, headers=headers or {}, text=json.dumps(body))


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (reply(401, "Bad credentials"), CredentialsError, "GITHUB_TOKEN"),
        (reply(403, "Resource not accessible by integration"), NotPermittedError, "pull_requests=write"),
        (
            reply(403, "Resource not accessible", {"x-accepted-github-permissions": "contents=read"}),
            NotPermittedError,
            "contents=read",
        ),
        (
            reply(403, "Resource protected by organization SAML", {"x-github-sso": "required"}),
            NotPermittedError,
            "sign-on",
        ),
        (reply(403, "API rate limit exceeded for user ID 1.", {"retry-after": "90"}), RateLimitedError, "90 seconds"),
        (reply(429, "", {"retry-after": "7"}), RateLimitedError, "7 seconds"),
        (reply(404, "Not Found"), NotPermittedError, "Check the name"),
        (reply(410, "Issues are disabled for this repo"), UserError, "disabled"),
        (reply(422, "Validation Failed"), OutsideError, "Validation Failed"),
        (reply(502, "Server Error"), OutsideError, "502"),
        (Cut(reason="ConnectionError: refused"), OutsideError, "refused"),
    ],
)
def test_each_answer_maps_to_one_error_that_says_what_to_do(
    answer: Reply | Cut, kind: type[SparkError], words: str
) -> None:
    error = error_for(answer, doing="posting", needs="pull_requests=write")
    assert type(error) is kind
    assert words in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (reply(403, "Resource not accessible by integration"), None),
        (reply(403, "Forbidden", {"x-ratelimit-remaining": "12"}), None),
        (reply(422, "Validation Failed"), None),
        (reply(200), None),
        (reply(429), 60.0),
        (reply(429, "", {"retry-after": "3"}), 3.0),
        (reply(403, "You have exceeded a secondary rate limit. Please wait a few minutes"), 60.0),
        (reply(403, "You have triggered an abuse detection mechanism."), 60.0),
        (reply(422, "Validation Failed", errors=["was submitted too quickly"]), 60.0),
        (reply(403, "x", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 40), "date": DATE}), 41.0),
        (reply(403, "x", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH - 40), "date": DATE}), 1.0),
        (reply(403, "x", {"x-ratelimit-remaining": "0"}), 60.0),
    ],
)
def test_a_rate_limit_is_told_from_a_refusal_and_its_wait_is_read(answer: Reply, wait: float | None) -> None:
    assert rate_wait(answer) == wait


@pytest.mark.parametrize(
    "token",
    [
        "ghp_" + "a1B2" * 9,
        "gho_" + "a1B2" * 9,
        "ghs_123456_eyJhbGciOiJSUzI1NiJ9." + "Ab_-" * 120 + ".sig-nature",
        "github_pat_11AAAAAAA0" + "x" * 59,
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2lnbmF0dXJl",
    ],
)
def test_no_token_shape_survives_in_a_message(token: str) -> None:
    for answer in (reply(403, f"token {token} may not"), Cut(reason=f"Bearer {token} refused")):
        assert token not in str(error_for(answer, doing="x"))
    assert redact(f"a {token}, b").startswith("a ***")


def test_the_words_of_a_refusal_come_with_each_of_its_errors() -> None:
    answer = reply(
        422,
        "Validation Failed",
        errors=[{"field": "line", "message": "must be part of the diff"}, "Path could not be resolved"],
    )
    assert answer.message == "Validation Failed; line: must be part of the diff; Path could not be resolved"
    assert Reply(status=502, headers={}, text="<html>").message == ""
    assert Reply(status=500, headers={}, text="[1]").message == ""


def test_a_web_page_instead_of_json_is_the_outside_world_s_fault() -> None:
    with pytest.raises(OutsideError, match="not JSON"):
        Reply(status=200, headers={}, text="<html>").json()


def test_bytes_that_are_no_utf8_come_back_as_they_were() -> None:
    data = b"caf\xe9\n"
    assert Reply(status=200, headers={}, text=data.decode("utf-8", "surrogateescape")).data == data
