from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.action.reviewing import Reviewed
from bot.action.telling import Teller
from bot.review.model import Fingerprint, Severity, Verdict

Make = Callable[..., Any]
URL = "https://github.com/acme/shop/pull/7#pullrequestreview-1"


@pytest.fixture
def tell(tmp_path: Path, a_review: Make, a_finding: Make, runner_reads: Make, outputs_file: Make) -> Make:
    """Tells of a green review with so many high findings; gives the exit code, the commands, the outputs and the page."""

    def make(findings: int, *, page: bool = True, url: str | None = None, sarif: Path | None = None) -> Any:
        summary = tmp_path / "summary.md"
        if not page:
            summary.mkdir()
        out, env = io.StringIO(), {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(tmp_path / "output")}
        teller = Teller(env, out, age=1.0)
        teller.inputs = replace(teller.inputs, sarif_file=sarif)
        found = tuple(
            a_finding(severity=Severity.HIGH, fingerprint=Fingerprint(f"f{at}"), title=f"Mistake {at}")
            for at in range(findings)
        )
        review = a_review(verdict=Verdict.PASS, reason="all is seen", findings=found, review_url=url)
        code = teller.say(teller.reviewed(Reviewed(review=review, began=0.0), seconds_before=0.2))
        text = summary.read_text(encoding="utf-8") if page else ""
        return code, runner_reads(out.getvalue()), outputs_file((tmp_path / "output").read_text(encoding="utf-8")), text

    return make


def test_findings_that_are_told_nowhere_are_never_green(tell: Make) -> None:
    code, commands, outputs, _ = tell(13, page=False)
    assert (code, outputs["verdict"]) == (3, "neutral")
    assert (commands[0].name, commands[0].properties.get("file")) == ("error", None)
    assert "could be told nowhere" in outputs["reason"]


def test_what_has_no_room_beside_the_code_is_in_the_summary(tell: Make) -> None:
    code, commands, outputs, page = tell(13)
    assert (code, outputs["verdict"]) == (0, "pass")
    assert sum(bool(each.properties.get("file")) for each in commands) == 10
    assert all(f"Mistake {at}" in page for at in range(13))


def test_a_summary_that_cannot_be_written_is_no_fault_where_all_is_told(tell: Make) -> None:
    code, commands, outputs, _ = tell(3, page=False)
    assert (code, outputs["verdict"]) == (0, "pass")
    assert [each.name for each in commands if not each.properties.get("file")] == ["notice", "warning"]


def test_what_stands_on_the_pull_is_not_told_beside_the_code(tell: Make) -> None:
    code, commands, outputs, page = tell(3, url=URL)
    assert (code, outputs["review-url"], len(commands)) == (0, URL, 1)
    assert "Mistake 2" in page


def test_a_sarif_file_that_cannot_be_written_fails_the_job(tell: Make, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    code, commands, outputs, _ = tell(1, url=URL, sarif=tmp_path / "taken" / "x.sarif")
    assert (code, outputs["verdict"], outputs["sarif-file"]) == (2, "neutral", "")
    assert "sarif-file" in commands[0].data
