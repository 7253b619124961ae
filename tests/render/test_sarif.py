from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.diff.edit import splice
from bot.diff.model import Anchor, Side
from bot.diff.parse import read_patch
from bot.review.model import Category, Change, Finding, FindingStatus, Review, Severity
from bot.review.render import sarif_limits
from bot.review.render.sarif import review_sarif, uri
from bot.review.render.sarif_limits import MOST_RESULTS, most_severe
from bot.review.scope import Coverage

MakeReview = Callable[..., Review]
Make = Callable[..., Finding]


@pytest.fixture(scope="module")
def schema() -> jsonschema_rs.Draft202012Validator:
    """The schema of SARIF 2.1.0, see the notice beside it."""
    text = (Path(__file__).parents[1] / "data" / "sarif-2.1.0.json").read_text("utf-8")
    return jsonschema_rs.Draft202012Validator(json.loads(text), validate_formats=True)


def run_of(review: Review) -> dict[str, Any]:
    return review_sarif(review)["runs"][0]  # type: ignore[no-any-return]


def test_a_review_is_valid_sarif(a_review: MakeReview, schema: jsonschema_rs.Draft202012Validator) -> None:
    schema.validate(json.loads(json.dumps(review_sarif(a_review()))))


def test_a_review_without_findings_is_valid_sarif(
    empty_review: MakeReview, schema: jsonschema_rs.Draft202012Validator
) -> None:
    sarif = review_sarif(empty_review(change=Change(patch=read_patch(b""), base="", head="")))
    schema.validate(sarif)
    assert sarif["runs"][0]["results"] == []
    assert sarif["runs"][0]["invocations"][0]["executionSuccessful"] is True
    assert "versionControlProvenance" not in sarif["runs"][0]


def test_the_schema_can_say_no(a_review: MakeReview, schema: jsonschema_rs.Draft202012Validator) -> None:
    sarif = review_sarif(a_review())
    sarif["runs"][0]["results"][0]["level"] = "high"
    assert not schema.is_valid(sarif)


def test_what_github_asks_for_is_there(a_review: MakeReview) -> None:
    run = run_of(a_review())
    assert run["tool"]["driver"]["name"] == "Spark"
    for rule in run["tool"]["driver"]["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["fullDescription"]["text"]
        assert rule["help"]["text"]
    for result in run["results"]:
        assert result["message"]["text"]
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["partialFingerprints"]["primaryLocationLineHash"]
        region = result["locations"][0]["physicalLocation"]["region"]
        assert {"startLine", "startColumn", "endLine", "endColumn"} <= set(region)
    assert run["versionControlProvenance"] == [
        {"repositoryUri": "https://github.com/acme/shop", "revisionId": "2" * 40, "branch": "discounts"}
    ]


def test_security_findings_carry_a_score_and_others_do_not(a_review: MakeReview) -> None:
    rules = {rule["id"]: rule["properties"] for rule in run_of(a_review())["tool"]["driver"]["rules"]}
    assert rules["spark/security-critical"]["security-severity"] == "9.5"
    assert rules["spark/security-high"]["security-severity"] == "8.0"
    assert "security-severity" not in rules["spark/bug"]
    assert rules["ruff/F401"]["problem.severity"] == "recommendation"
    assert rules["spark/reliability"]["problem.severity"] == "warning"


def test_the_region_is_the_anchored_lines_to_their_last_column(a_review: MakeReview) -> None:
    result = run_of(a_review())["results"][0]
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "src/shop/cart.py"
    region = location["region"]
    assert (region["startLine"], region["startColumn"], region["endLine"]) == (19, 1, 20)
    assert region["endColumn"] == len("        self.db.execute(query)") + 1


def test_columns_are_counted_in_utf16_units(
    a_review: MakeReview, a_finding: Make, an_anchor: Callable[..., Anchor]
) -> None:
    anchor = replace(an_anchor(), text=("x = '😀é'\r",))
    result = run_of(a_review(findings=(a_finding(anchor),)))["results"][0]
    assert result["locations"][0]["physicalLocation"]["region"]["endColumn"] == 10


def test_a_proven_suggestion_is_a_fix_that_gives_the_edited_file(a_review: MakeReview) -> None:
    result = run_of(a_review())["results"][0]
    change = result["fixes"][0]["artifactChanges"][0]
    replacement = change["replacements"][0]
    text = "        query = f\"INSERT INTO log VALUES ('{item.name}')\"\n        self.db.execute(query)\n"
    head = "\n" * 18 + text + "\n    def clear(self):\n"
    assert apply(head, replacement) == head.replace(text, f"{a_review().findings[0].suggestion}\n")


def test_an_empty_suggestion_deletes_the_line_with_its_end(
    a_review: MakeReview, a_finding: Make, an_anchor: Callable[..., Anchor]
) -> None:
    finding = a_finding(an_anchor("web/app.js", 5), suggestion="", proven=True)
    replacement = run_of(a_review(findings=(finding,)))["results"][0]["fixes"][0]["artifactChanges"][0]["replacements"][
        0
    ]
    assert apply("1\n2\n3\n4\n}\n6\n", replacement) == "1\n2\n3\n4\n6\n"


@pytest.mark.parametrize("suggestion", ["\n", "a\n\n", "\na", "a"])
def test_a_fix_with_an_empty_line_gives_what_was_proven(
    a_review: MakeReview, a_finding: Make, an_anchor: Callable[..., Anchor], suggestion: str
) -> None:
    finding = a_finding(an_anchor("web/app.js", 5), suggestion=suggestion, proven=True)
    fix = run_of(a_review(findings=(finding,)))["results"][0]["fixes"][0]["artifactChanges"][0]["replacements"][0]
    head = "1\n2\n3\n4\n}\n6\n"
    assert apply(head, fix) == splice(head, 5, 5, suggestion)


def test_an_unproven_suggestion_is_no_fix(a_review: MakeReview, a_finding: Make) -> None:
    assert "fixes" not in run_of(a_review(findings=(a_finding(suggestion="x", proven=False),)))["results"][0]


def test_a_fix_in_a_crlf_file_has_crlf(a_review: MakeReview, a_finding: Make, an_anchor: Callable[..., Anchor]) -> None:
    finding = a_finding(replace(an_anchor(), text=("old\r",)), suggestion="a\nb", proven=True)
    fix = run_of(a_review(findings=(finding,)))["results"][0]["fixes"][0]["artifactChanges"][0]["replacements"][0]
    assert fix["insertedContent"]["text"] == "a\r\nb"
    assert fix["deletedRegion"]["endColumn"] == 4


def apply(text: str, replacement: dict[str, Any]) -> str:
    """What a viewer does with a fix."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    region = replacement["deletedRegion"]
    begin = starts[region["startLine"] - 1] + region["startColumn"] - 1
    end = starts[region["endLine"] - 1] + region["endColumn"] - 1
    return text[:begin] + replacement["insertedContent"]["text"] + text[end:]


def test_removed_lines_are_put_on_the_next_line_that_is_still_there(a_review: MakeReview) -> None:
    result = next(one for one in run_of(a_review())["results"] if one["properties"]["side"] == "LEFT")
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 18
    assert "about removed line 17 of the version before" in result["message"]["text"]
    assert result["properties"]["startLine"] == 17


def test_a_finding_in_a_removed_file_stays_at_line_one(
    a_review: MakeReview, a_finding: Make, an_anchor: Callable[..., Anchor]
) -> None:
    finding = a_finding(an_anchor("src/shop/old name.py", 1, 3, Side.LEFT))
    location = run_of(a_review(findings=(finding,)))["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "src/shop/old%20name.py"
    assert location["region"]["startLine"] == 1


def test_what_fell_short_is_a_notification_and_the_run_did_not_succeed(a_review: MakeReview) -> None:
    invocation = run_of(a_review())["invocations"][0]
    assert invocation["executionSuccessful"] is False
    notes = {note["message"]["text"]: note for note in invocation["toolExecutionNotifications"]}
    hole = next(note for text, note in notes.items() if "the stream was cut" in text)
    assert hole["level"] == "error"
    assert hole["locations"][0]["physicalLocation"]["region"] == {"startLine": 42, "endLine": 46}
    assert next(note for text, note in notes.items() if "huge.sql" in text)["level"] == "warning"
    assert next(note for text, note in notes.items() if "package-lock.json" in text)["level"] == "note"
    assert any("No test covers a discount of 1" in text for text in notes)


def test_a_difference_in_the_count_is_a_notification(empty_review: MakeReview) -> None:
    coverage = Coverage(hunks=1, reviewed=1, holes=(), skipped=(), difference="12 files, not 11")
    notes = run_of(empty_review(coverage=coverage))["invocations"][0]["toolExecutionNotifications"]
    assert notes[0]["message"]["text"] == "Partly reviewed: 12 files, not 11"


def test_a_dismissed_finding_is_suppressed(a_review: MakeReview) -> None:
    suppressed = [one for one in run_of(a_review())["results"] if "suppressions" in one]
    assert [one["properties"]["status"] for one in suppressed] == ["dismissed"]
    assert suppressed[0]["suppressions"] == [{"kind": "external", "status": "accepted"}]


def test_a_suppression_says_who_dismissed_it_and_why(a_review: MakeReview, a_finding: Make) -> None:
    finding = a_finding(
        status=FindingStatus.DISMISSED, excused=True, dismissed_by="bob", dismissed_why="on\npurpose\x1b[31m."
    )
    (one,) = run_of(a_review(findings=(finding,)))["results"]
    assert one["suppressions"][0]["justification"] == "Dismissed by bob: on purpose[31m."


def test_equal_findings_have_different_line_hashes(a_review: MakeReview, a_finding: Make) -> None:
    results = run_of(a_review(findings=(a_finding(), a_finding())))["results"]
    first, second = (one["partialFingerprints"]["primaryLocationLineHash"] for one in results)
    assert first.endswith(":1")
    assert second.endswith(":2")
    assert results[0]["partialFingerprints"]["sparkFingerprint/v1"] == "a1b2c3d4e5f60718"


def test_a_tools_security_rule_is_scored_by_its_worst_result(a_review: MakeReview, a_finding: Make) -> None:
    findings = tuple(
        a_finding(severity=severity, category=Category.SECURITY, source="sarif:bandit", rule="B608")
        for severity in (Severity.LOW, Severity.HIGH)
    )
    (rule,) = run_of(a_review(findings=findings))["tool"]["driver"]["rules"]
    assert rule["id"] == "sarif:bandit/B608"
    assert rule["properties"]["security-severity"] == "8.0"


def test_paths_are_percent_encoded() -> None:
    assert uri("a b/c#d?e%f:g/é.py") == "a%20b/c%23d%3Fe%25f%3Ag/%C3%A9.py"
    assert uri("bad\udcff") == "bad%FF"


@given(st.text(min_size=1, max_size=30).filter(lambda path: "\x00" not in path))
def test_every_path_is_one_relative_uri(path: str) -> None:
    from urllib.parse import unquote, urlsplit

    encoded = uri(path.encode("utf-8", "replace").decode())
    parts = urlsplit(encoded)
    assert (parts.scheme, parts.query, parts.fragment) == ("", "", "")
    assert unquote(encoded) == path.encode("utf-8", "replace").decode()


# -- what GitHub takes ---------------------------------------------------------------------------------------------


def notes_of(run: dict[str, Any]) -> list[str]:
    return [note["message"]["text"] for note in run["invocations"][0]["toolExecutionNotifications"]]


def test_of_more_results_than_are_kept_the_least_severe_are_left_out(
    empty_review: MakeReview, a_finding: Make, schema: jsonschema_rs.Draft202012Validator
) -> None:
    low = a_finding(severity=Severity.LOW, body="")
    dismissed = a_finding(severity=Severity.CRITICAL, status=FindingStatus.DISMISSED, body="")
    critical = a_finding(severity=Severity.CRITICAL, title="The last one", body="")
    sarif = review_sarif(empty_review(findings=(low, dismissed, *[low] * MOST_RESULTS, critical)))
    schema.validate(sarif)
    run = sarif["runs"][0]
    assert len(run["results"]) == MOST_RESULTS
    assert run["results"][-1]["message"]["text"].startswith("The last one")
    assert not [result for result in run["results"] if "suppressions" in result]
    assert notes_of(run)[0] == "3 findings are left out, the least severe of them all."


@pytest.mark.parametrize(
    ("severities", "most", "kept"),
    [
        ("low high", 2, "low high"),
        ("low high medium", 2, "high medium"),
        ("low low critical low", 2, "low critical"),
        ("high", 0, ""),
    ],
)
def test_what_is_kept_stays_in_its_order(a_finding: Make, severities: str, most: int, kept: str) -> None:
    findings = [a_finding(severity=Severity(name)) for name in severities.split()]
    left = most_severe(findings, most)
    assert [finding.severity.value for finding in left.findings] == kept.split()
    assert left.left_out == len(findings) - len(left.findings)


def test_a_file_that_is_too_large_is_cut_until_it_fits(
    empty_review: MakeReview, a_finding: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib
    import zlib

    monkeypatch.setattr(sarif_limits, "MOST_BYTES", 20_000)
    bodies = [" ".join(hashlib.sha512(f"{n} {m}".encode()).hexdigest() for m in range(8)) for n in range(60)]
    findings = tuple(a_finding(severity=Severity.LOW, body=body) for body in bodies)
    worst = a_finding(severity=Severity.CRITICAL, title="The worst")
    sarif = review_sarif(empty_review(findings=(*findings, worst)))
    assert len(zlib.compress(json.dumps(sarif, indent=1).encode())) <= 20_000
    results = sarif["runs"][0]["results"]
    assert 5 < len(results) < 60
    assert results[-1]["message"]["text"].startswith("The worst")
    assert notes_of(sarif["runs"][0])[0] == f"{61 - len(results)} findings are left out, the least severe of them all."


def test_a_review_that_fits_loses_nothing(a_review: MakeReview) -> None:
    run = run_of(a_review())
    assert len(run["results"]) == len(a_review().findings)
    assert not [text for text in notes_of(run) if "left out" in text and "temperature" not in text]


def test_notifications_do_not_crowd_out_the_file(empty_review: MakeReview) -> None:
    notices = tuple(f"notice {n}" for n in range(sarif_limits.MOST_NOTES + 5))
    notes = notes_of(run_of(empty_review(notices=notices)))
    assert len(notes) == sarif_limits.MOST_NOTES + 1
    assert notes[-1] == "5 more of these notifications are left out."


def test_no_text_is_longer_than_github_allows(
    a_review: MakeReview, a_finding: Make, schema: jsonschema_rs.Draft202012Validator
) -> None:
    rule = "x" * 3_000
    findings = tuple(a_finding(source="sarif:tool", rule=name, body="y" * 20_000) for name in (rule, rule + "z"))
    sarif = review_sarif(a_review(findings=findings))
    schema.validate(sarif)
    run = sarif["runs"][0]
    first, second = run["tool"]["driver"]["rules"]
    assert first["id"] != second["id"]
    for found in (first, second):
        assert max(len(found["id"]), len(found["name"])) <= 255
        assert len(found["shortDescription"]["text"]) <= 1_024
        assert len(found["fullDescription"]["text"]) <= 1_024
        assert len(found["properties"]["tags"]) <= 10
    assert {len(result["message"]["text"]) for result in run["results"]} == {sarif_limits.MOST_MESSAGE}


@pytest.mark.parametrize(
    ("title", "told"),
    [("It leaks", "It leaks."), ("It leaks.", "It leaks."), ("Is it meant?", "Is it meant?"), ("", "(no title).")],
)
def test_the_title_is_the_first_sentence_of_the_message(
    a_review: MakeReview, a_finding: Make, title: str, told: str
) -> None:
    (result,) = run_of(a_review(findings=(a_finding(title=title, body="More of it."),)))["results"]
    assert result["message"]["text"] == f"{told}\n\nMore of it."
