from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema_rs
import pytest

from bot.diff.model import Patch
from bot.review.model import Category, Change, Earlier, Finding, FindingStatus, Review, Severity, Usage
from bot.review.render.json import review_json
from bot.review.scope import Coverage, Since, Skip, SkipReason

MakeReview = Callable[..., Review]
EARLIER = Earlier(
    path="src/a.py",
    severity=Severity.HIGH,
    category=Category.BUG,
    title="It breaks",
    url="https://github.com/o/r/pull/7#discussion_r1",
    is_certain=False,
)
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "review.schema.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def schema() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(SCHEMA)


def test_a_review_follows_the_schema(a_review: MakeReview, schema: jsonschema_rs.Draft202012Validator) -> None:
    schema.validate(json.loads(json.dumps(review_json(a_review()))))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"model": None, "usage": Usage(), "notices": ("No model: no key",)},
        {"usage": Usage(usd=None, calls=1)},
        {"since": Since(round=3, head="2" * 40), "earlier": (EARLIER,)},
        {"change": Change(patch=Patch(files=()), base="diff file", head="")},
        {
            "coverage": Coverage(
                hunks=0, reviewed=0, holes=(), skipped=(Skip(path="\udcff.bin", reason=SkipReason.BINARY),)
            )
        },
    ],
)
def test_a_review_without_findings_follows_the_schema(
    empty_review: MakeReview, schema: jsonschema_rs.Draft202012Validator, fields: dict[str, object]
) -> None:
    schema.validate(json.loads(json.dumps(review_json(empty_review(**fields)), ensure_ascii=False).encode("utf-8")))


def test_the_schema_refuses_what_the_contract_does_not_allow(
    a_review: MakeReview, schema: jsonschema_rs.Draft202012Validator
) -> None:
    for change in ({"verdict": "ok"}, {"schema": 2}, {"findings": [{}]}, {"coverage": {}}, {"timing": {}}):
        assert not schema.is_valid(review_json(a_review()) | change)


def test_every_key_of_the_contract_is_there(a_review: MakeReview) -> None:
    shape = review_json(a_review())
    assert {"schema", "pull", "base", "head", "verdict", "reason", "findings", "misplaced", "coverage", "usage"} <= set(
        shape
    )
    finding = shape["findings"][0]
    assert finding == finding | {
        "path": "src/shop/cart.py",
        "side": "RIGHT",
        "start_line": 19,
        "line": 20,
        "severity": "critical",
        "category": "security",
        "title": "SQL is built from a name that users choose",
        "proven": True,
        "votes": {"for": 3, "of": 3},
        "fingerprint": "f00d",
        "source": "model",
        "status": "posted",
    }
    assert shape["coverage"]["skipped"][0] == {"path": "package-lock.json", "reason": "lock file", "detail": ""}
    assert shape["coverage"]["holes"] == [
        {
            "path": "src/shop/cart.py",
            "side": "RIGHT",
            "start_line": 42,
            "line": 46,
            "pass": "review",
            "reason": "the stream was cut",
        }
    ]
    assert shape["usage"] == {
        "input_tokens": 12345,
        "cached_tokens": 8000,
        "output_tokens": 1234,
        "usd": 0.0041,
        "calls": 3,
    }
    assert set(shape["timing"]) == {"accepted", "diff", "first_token", "first_finding", "first_post", "done"}
    assert shape["pull"]["repo"] == "acme/shop"
    assert len(shape["findings"]) == 8
    assert [dropped["reason"] for dropped in shape["dropped"]] == ["refuted", "duplicate"]


def test_every_key_that_is_given_is_in_the_schema(a_review: MakeReview) -> None:
    shape = review_json(a_review())
    assert set(shape) == set(SCHEMA["properties"])
    for key, name in (("findings", "finding"), ("misplaced", "misplaced"), ("dropped", "dropped")):
        assert set(shape[key][0]) == set(SCHEMA["$defs"][name]["properties"])


def test_who_dismissed_a_finding_and_why_is_given_without_secrets(
    a_review: MakeReview, a_finding: Callable[..., Finding], schema: jsonschema_rs.Draft202012Validator
) -> None:
    secret = "ghp_" + "a1B2" * 9
    findings = (
        a_finding(
            status=FindingStatus.DISMISSED, dismissed_by="bob", dismissed_why=f"it is {secret}", dismissed_how="ignored"
        ),
        a_finding(status=FindingStatus.DISMISSED),
    )
    shape = review_json(a_review(findings=findings))
    schema.validate(json.loads(json.dumps(shape)))
    by_bob, by_nobody = (one["dismissed"] for one in shape["findings"])
    assert (by_bob["by"], by_bob["how"], by_nobody) == ("bob", "ignored", None)
    assert by_bob["why"].startswith("it is ")
    assert secret not in json.dumps(shape)


def test_text_that_is_not_utf8_can_still_be_written(a_review: MakeReview) -> None:
    notices = ("bytes \udcff", "half a pair \ud83d")
    text = json.dumps(review_json(a_review(notices=notices)), ensure_ascii=False)
    assert "bytes \ufffd" in text.encode("utf-8").decode("utf-8")
