"""The use case through its one door: what a review does with what the model, the tools and GitHub say."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest

from bot.diff.anchors import anchor_lines
from bot.diff.model import Anchor, Side
from bot.errors import CredentialsError, NotPermittedError, OutsideError
from bot.review.events import Finished, Found, Lost, Note, Started
from bot.review.model import Category, Effort, FindingStatus, Severity, Totals, Verdict, Votes
from bot.review.options import Options
from bot.review.ports import AnalyzerResult, CallKind, CallReport, Published, StreamEnd
from bot.review.render import words

END = '{"end": true}\n'
REAL = '{"analysis": "It is.", "verdict": "real"}'
REFUTED = '{"analysis": "The caller never passes it.", "verdict": "refuted"}'


def on_path(prompt, path):
    return path in prompt.user


def test_a_finding_is_told_while_the_stream_is_still_open(one_file):
    class Patient:
        name = "patient"

        def stream(self, prompt, *, sink, stop):
            sink(one_file.says("app.py", 2))
            assert one_file.ear.heard.wait(10), "the finding was not told before the stream ended"
            sink(END)
            return CallReport(end=StreamEnd.WHOLE)

    one_file.other_model = Patient()
    review = one_file.review()
    assert [finding.title for finding in review.findings] == ["Mutable default argument"]


def test_a_review_without_findings_passes_and_says_what_was_covered(world):
    review = world.review()
    assert review.verdict is Verdict.PASS
    assert (review.coverage.hunks, review.coverage.reviewed) == (2, 2)
    assert isinstance(world.ear.events[0], Started)
    assert isinstance(world.ear.events[-1], Finished)


def test_usage_of_every_call_is_counted(world):
    world.effort = Effort.STANDARD
    world.script = lambda prompt, before: (
        REAL if prompt.kind is CallKind.CHECK else (world.says("app.py", 2) if on_path(prompt, "app.py") else "") + END
    )
    review = world.review()
    assert review.usage.calls == len(world.model.prompts) == 3
    assert review.usage.usd == pytest.approx(0.003)


def test_each_finding_is_checked_at_standard_effort_and_a_refuted_one_is_dropped_and_counted(world):
    world.effort = Effort.STANDARD

    def script(prompt, before):
        if prompt.kind is CallKind.CHECK:
            return REFUTED if "eval" in prompt.user else REAL
        if on_path(prompt, "app.py"):
            return world.says("app.py", 2) + END
        return world.says("other.py", 2, title="eval of a constant") + END

    world.script = script
    review = world.review()
    assert [finding.path for finding in review.findings] == ["app.py"]
    assert review.findings[0].votes == Votes(in_favour=2, of=2)
    assert [(dropped.finding.path, dropped.reason) for dropped in review.dropped] == [("other.py", "refuted")]
    assert review.dropped[0].why == "The caller never passes it."


def test_no_finding_is_checked_at_instant_effort(world):
    world.script = lambda prompt, before: world.says("app.py", 2) + END if on_path(prompt, "app.py") else END
    world.review()
    assert world.model.asked(CallKind.CHECK) == []


def test_the_check_sees_the_whole_file(one_file):
    one_file.effort = Effort.STANDARD
    one_file.script = lambda prompt, before: REAL if prompt.kind is CallKind.CHECK else one_file.says("app.py", 2) + END
    one_file.review()
    (check,) = one_file.model.asked(CallKind.CHECK)
    assert "import json" in check.user
    assert "# end" in check.user


def test_a_check_that_gives_no_answer_keeps_the_finding_and_says_so(one_file):
    one_file.effort = Effort.STANDARD
    one_file.script = lambda prompt, before: (
        ("", StreamEnd.STALLED) if prompt.kind is CallKind.CHECK else one_file.says("app.py", 2) + END
    )
    (finding,) = one_file.review().findings
    assert finding.votes == Votes(in_favour=1, of=1)
    assert finding.note == "Not checked: the stream stalled."
    assert len(one_file.model.asked(CallKind.CHECK)) == 2


def test_a_check_that_cannot_be_read_is_asked_once_more(one_file):
    one_file.effort = Effort.STANDARD
    answers = ["I believe so.", REFUTED]
    one_file.script = lambda prompt, before: (
        answers[before] if prompt.kind is CallKind.CHECK else one_file.says("app.py", 2) + END
    )
    review = one_file.review()
    assert (review.findings, [dropped.reason for dropped in review.dropped]) == ((), ["refuted"])
    answers[1] = "Still so."
    (finding,) = one_file.review().findings
    assert (finding.votes, finding.note) == (
        Votes(in_favour=1, of=1),
        "Not checked: the check's answer could not be read.",
    )


def test_a_suggestion_is_offered_once_it_was_applied_and_parsed(one_file):
    one_file.script = lambda prompt, before: one_file.says("app.py", 2, suggestion="def load(path, cache=None):") + END
    (finding,) = one_file.review().findings
    assert (finding.suggestion, finding.proven, finding.parsed) == ("def load(path, cache=None):", True, True)


def test_a_suggestion_for_a_file_without_a_grammar_counts_as_applied_alone(no_grammar):
    no_grammar.script = lambda prompt, before: no_grammar.says("app.txt", 2, suggestion="def load((") + END
    (finding,) = no_grammar.review().findings
    assert (finding.suggestion, finding.proven, finding.parsed) == ("def load((", True, False)


def test_a_suggestion_that_breaks_the_file_is_repaired_by_one_more_call(one_file):
    def script(prompt, before):
        if prompt.kind is CallKind.REPAIR:
            return '{"suggestion": "def load(path, cache=None):"}'
        return one_file.says("app.py", 2, suggestion="def load(path, cache=None:") + END

    one_file.script = script
    (finding,) = one_file.review().findings
    assert (finding.suggestion, finding.proven) == ("def load(path, cache=None):", True)
    assert len(one_file.model.asked(CallKind.REPAIR)) == 1


def test_a_suggestion_that_stays_broken_leaves_the_finding_as_prose_with_the_reason(one_file):
    def script(prompt, before):
        if prompt.kind is CallKind.REPAIR:
            return '{"suggestion": "def load((("}'
        return one_file.says("app.py", 2, suggestion="def load(path, cache=None:") + END

    one_file.script = script
    (finding,) = one_file.review().findings
    assert (finding.suggestion, finding.proven) == (None, False)
    assert "A patch was suggested and is not shown" in finding.note
    assert len(one_file.model.asked(CallKind.REPAIR)) == 1


def test_a_refuted_finding_costs_no_repair(one_file):
    one_file.effort = Effort.STANDARD

    def script(prompt, before):
        if prompt.kind is CallKind.CHECK:
            return REFUTED
        return one_file.says("app.py", 2, suggestion="def load(path, cache=None:") + END

    one_file.script = script
    assert one_file.review().findings == ()
    assert one_file.model.asked(CallKind.REPAIR) == []


def test_a_suggestion_for_a_file_that_cannot_be_read_is_not_offered(one_file):
    one_file.texts = {}
    one_file.script = lambda prompt, before: one_file.says("app.py", 2, suggestion="def load(path):") + END
    (finding,) = one_file.review().findings
    assert finding.suggestion is None
    assert "could not be read" in finding.note


def test_the_same_finding_said_twice_is_one_finding(one_file):
    one_file.script = lambda prompt, before: one_file.says("app.py", 2) * 2 + END
    review = one_file.review()
    assert len(review.findings) == 1
    assert [dropped.reason for dropped in review.dropped] == ["duplicate"]


def test_three_passes_of_deep_effort_give_one_finding_with_their_votes(one_file):
    one_file.effort = Effort.DEEP
    one_file.script = lambda prompt, before: REAL if prompt.kind is CallKind.CHECK else one_file.says("app.py", 2) + END
    review = one_file.review()
    (finding,) = review.findings
    assert len(one_file.model.asked(CallKind.REVIEW)) == 3
    assert len(one_file.model.asked(CallKind.CHECK)) == 1
    assert finding.votes.in_favour == 4


@pytest.mark.parametrize("end", [StreamEnd.CUT, StreamEnd.STALLED, StreamEnd.GARBLED, StreamEnd.NOT_A_STREAM])
def test_a_stream_that_ended_badly_is_tried_once_more_and_loses_nothing(one_file, end):
    one_file.script = lambda prompt, before: (
        (one_file.says("app.py", 2), end) if before == 0 else one_file.says("app.py", 3, title="Compare with is") + END
    )
    review = one_file.review()
    assert {finding.anchor.line for finding in review.findings} == {2, 3}
    assert review.coverage.whole
    assert any("tried again" in note.text for note in one_file.ear.of(Note))


def test_a_stream_that_ends_badly_twice_is_a_hole_and_the_check_is_neutral(world):
    def script(prompt, before):
        return (world.says("app.py", 2), StreamEnd.CUT) if on_path(prompt, "app.py") else END

    world.script = script
    review = world.review()
    assert len(world.model.asked(CallKind.REVIEW)) == 3
    assert (review.coverage.hunks, review.coverage.reviewed) == (2, 1)
    assert [hole.reason for hole in review.coverage.holes] == ["the stream was cut"]
    assert review.verdict is Verdict.NEUTRAL
    assert "the stream was cut" in review.reason
    assert [finding.path for finding in review.findings] == ["app.py"]


@pytest.mark.parametrize("end", [StreamEnd.REJECTED, StreamEnd.BUDGET, StreamEnd.DEADLINE])
def test_what_a_second_try_cannot_mend_is_not_tried_again(one_file, end):
    one_file.script = lambda prompt, before: ("", end)
    review = one_file.review()
    assert len(one_file.model.prompts) == 1
    assert review.verdict is Verdict.NEUTRAL
    assert end.value in review.reason


def test_an_answer_that_was_too_long_is_tried_again_with_more_room(one_file):
    def script(prompt, before):
        finding = one_file.says("app.py", 2)
        return finding + END if before else (finding + '{"path": "app', StreamEnd.LENGTH)

    one_file.script = script
    review = one_file.review()
    first, second = (prompt.max_output_tokens for prompt in one_file.model.prompts)
    assert second == 4 * first
    assert (review.verdict, len(review.findings)) == (Verdict.PASS, 1)


def test_an_answer_in_no_agreed_form_is_tried_again_and_then_a_hole(one_file):
    one_file.script = lambda prompt, before: "I think this looks good to me!"
    review = one_file.review()
    assert len(one_file.model.prompts) == 2
    assert review.coverage.holes[0].reason == "the answer was not in the agreed form"


def test_a_finding_at_a_place_outside_its_chunk_goes_to_the_summary(world):
    world.script = lambda prompt, before: world.says("other.py", 2) + END if on_path(prompt, "app.py") else END
    review = world.review()
    assert review.findings == ()
    assert [misplaced.title for misplaced in review.misplaced] == ["Mutable default argument"]
    assert len(world.ear.of(Lost)) == 1


def test_without_a_model_the_tools_review_alone_and_the_check_is_neutral(one_file, a_result):
    one_file.with_model = False
    one_file.analyzers = [one_file.tool(a_result(one_file))]
    review = one_file.review()
    assert [finding.source for finding in review.findings] == ["ruff"]
    assert review.model is None
    assert review.verdict is Verdict.NEUTRAL
    assert review.coverage.reviewed == 0


def test_a_tool_keeps_its_finding_when_the_check_refutes_the_models_twin(one_file, a_result):
    one_file.effort = Effort.STANDARD
    checked = threading.Event()

    class Late:
        name = "ruff"

        def run(self, change, files):
            return one_file.tool(a_result(one_file)).run(change, files)

    def script(prompt, before):
        if prompt.kind is CallKind.CHECK:
            checked.set()
            return REFUTED
        return one_file.says("app.py", 2) + END

    one_file.script = script
    one_file.analyzers = [Late()]
    review = one_file.review()
    assert [finding.source for finding in review.findings] == ["ruff"]
    assert checked.is_set() or len(review.dropped) == 1


def test_a_patch_that_nobody_tried_is_never_offered_when_tool_and_model_say_the_same(one_file, a_result):
    told = threading.Event()
    one_file.analyzers = [one_file.tool(a_result(one_file))]

    class AfterTheTool:
        name = "late"

        def stream(self, prompt, *, sink, stop):
            assert one_file.ear.heard.wait(10), "the tool's finding was not told"
            told.set()
            sink('{"suggestion": "def load((("}' if prompt.kind is CallKind.REPAIR else
                 one_file.says("app.py", 2, suggestion="def load(path, cache=None:") + END)  # fmt: skip
            return CallReport(end=StreamEnd.WHOLE)

    one_file.other_model = AfterTheTool()
    review = one_file.review()
    assert told.is_set()
    (finding,) = review.findings
    assert (finding.suggestion, finding.proven) == (None, False)
    assert [dropped.reason for dropped in review.dropped] == ["duplicate"]


def test_the_models_proven_patch_goes_to_the_tools_finding_of_the_same(one_file, a_result):
    one_file.analyzers = [one_file.tool(a_result(one_file))]
    one_file.script = lambda prompt, before: one_file.says("app.py", 2, suggestion="def load(path, cache=None):") + END
    (finding,) = one_file.review().findings
    assert (finding.suggestion, finding.proven) == ("def load(path, cache=None):", True)
    assert (finding.source, finding.rule) == ("ruff", "B006")


def test_every_pass_that_says_what_a_tool_says_votes_for_it(one_file, a_result):
    one_file.effort = Effort.DEEP
    one_file.analyzers = [one_file.tool(a_result(one_file))]
    first = threading.Event()

    def script(prompt, before):
        if prompt.kind is CallKind.CHECK:
            first.set()
            return REAL
        if before:
            # Later passes speak when the first one's finding has gone into the tool's.
            assert first.wait(5)
            assert one_file.ear.lost.wait(5)
        return one_file.says("app.py", 2) + END

    one_file.script = script
    review = one_file.review()
    (finding,) = review.findings
    assert finding.source == "ruff"
    assert finding.votes == Votes(in_favour=4, of=4)
    assert all("refuted" not in dropped.why for dropped in review.dropped)


def test_a_tool_that_cannot_run_is_told_and_loses_nothing_else(one_file):
    one_file.analyzers = [one_file.tool(problem="it is not installed")]
    one_file.script = lambda prompt, before: one_file.says("app.py", 2) + END
    review = one_file.review()
    assert len(review.findings) == 1
    assert review.notices == ("tool did not run: it is not installed",)
    assert (review.verdict, review.reason) == (Verdict.NEUTRAL, "tool did not run")


def test_a_tools_results_on_other_lines_are_counted(one_file):
    one_file.analyzers = [one_file.tool(outside=3), one_file.tool(outside=2)]
    review = one_file.review()
    assert review.outside == {"tool": 5}
    assert words.set_aside(review) == ["5 results of tool outside the changed lines"]


def test_a_finding_that_has_a_thread_is_not_posted_again(one_file):
    one_file.script = lambda prompt, before: one_file.says("app.py", 2) + END
    one_file.publisher = one_file.board()
    one_file.review()
    one_file.options = replace(one_file.options, full="asked for by ada")
    review = one_file.review()
    assert [(finding.status, finding.thread) for finding in review.findings] == [
        (FindingStatus.KNOWN, one_file.publisher.threads[0].url)
    ]
    assert len(one_file.publisher.threads) == 1
    assert review.review_url == one_file.publisher.notes[0].url


def test_a_second_review_of_a_head_with_one_new_finding_posts_that_one_alone(one_file):
    one_file.script = lambda prompt, before: one_file.says("app.py", 2) + END
    one_file.publisher = one_file.board()
    one_file.review()
    one_file.script = lambda prompt, before: (
        one_file.says("app.py", 2) + one_file.says("app.py", 3, title="Compare with is", category="style") + END
    )
    one_file.options = replace(one_file.options, full="asked for by ada")
    one_file.review()
    _, draft = one_file.publisher.drafts
    assert [comment.anchor.line for comment in draft.comments] == [3]


def test_findings_below_the_threshold_and_over_the_limit_get_no_comment(world):
    world.config = "review:\n  min_severity: medium\n  max_comments: 1\n"

    def script(prompt, before):
        if on_path(prompt, "app.py"):
            return (
                world.says("app.py", 2, severity="medium")
                + world.says("app.py", 3, severity="low", title="Compare with is", category="style", body="Use is.")
                + END
            )
        return world.says("other.py", 2, severity="critical", title="eval", category="security") + END

    world.script = script
    world.publisher = world.board()
    review = world.review()
    assert [(finding.severity, finding.status) for finding in review.findings] == [
        (Severity.CRITICAL, FindingStatus.POSTED),
        (Severity.MEDIUM, FindingStatus.OVER_LIMIT),
        (Severity.LOW, FindingStatus.BELOW_THRESHOLD),
    ]
    (draft,) = world.publisher.drafts
    assert [comment.anchor.path for comment in draft.comments] == ["other.py"]


def test_the_gate_fails_on_a_finding_of_its_level(one_file):
    one_file.script = lambda prompt, before: one_file.says("app.py", 2, severity="high") + END
    one_file.options = replace(one_file.options, fail_on=Severity.HIGH)
    assert one_file.review().verdict is Verdict.FAIL
    one_file.options = replace(one_file.options, fail_on=Severity.CRITICAL)
    assert one_file.review().verdict is Verdict.PASS
    one_file.config = "gate:\n  fail_on: low\n"
    one_file.options = replace(one_file.options, fail_on=None, never_fail=True)
    assert one_file.review().verdict is Verdict.PASS


def test_a_head_that_moved_is_told_and_the_check_is_not_green(one_file):
    one_file.publisher = one_file.board(published=Published(url=None, posted=(), moved_to="c" * 40))
    review = one_file.review()
    assert review.verdict is Verdict.NEUTRAL
    assert "cccccccccc" in review.reason
    assert review.timing.first_post is None


def test_a_review_that_may_not_be_posted_is_still_given_with_the_error(one_file):
    one_file.script = lambda prompt, before: one_file.says("app.py", 2) + END
    one_file.publisher = one_file.board(published=NotPermittedError("The token may not write"))
    review = one_file.review()
    assert len(review.findings) == 1
    assert review.failure.exit_code == 2
    assert review.verdict is Verdict.NEUTRAL


def test_when_existing_threads_cannot_be_read_nothing_is_posted_and_the_review_is_given(one_file):
    one_file.script = lambda prompt, before: one_file.says("app.py", 2) + END
    one_file.publisher = one_file.board(recall_error=OutsideError("GitHub is down"))
    review = one_file.review()
    assert len(review.findings) == 1
    assert review.failure.exit_code == 3
    assert one_file.publisher.drafts == []


def test_comments_that_github_refused_keep_the_check_from_being_green(one_file):
    one_file.script = lambda prompt, before: one_file.says("app.py", 2) + END
    one_file.publisher = one_file.board(
        published=Published(url="https://example.test/review", posted=(), unposted=(("f" * 16, "line"),))
    )
    review = one_file.review()
    assert review.verdict is Verdict.NEUTRAL
    assert "refused 1 line comment" in review.reason


def test_the_first_post_is_when_the_review_stood_and_not_when_its_threads_were_followed_up(one_file):
    began = time.monotonic() - 60.0
    one_file.script = lambda prompt, before: one_file.says("app.py", 2) + END
    one_file.options = Options(run="run-1", began=began)
    one_file.publisher = one_file.board(published=Published(url="https://example.test/r", at=began + 2.5, posted=()))
    review = one_file.review()
    assert review.timing.first_post == pytest.approx(2.5)
    assert review.timing.done >= 60.0


def test_a_wrong_key_stops_the_review_with_the_users_error(one_file):
    one_file.script = lambda prompt, before: CredentialsError("The endpoint refused the key")
    with pytest.raises(CredentialsError):
        one_file.review()
    assert one_file.stop.cancelled


def test_a_difference_to_gits_own_numbers_is_told_as_partly_reviewed(one_file):
    one_file.totals = Totals(files=2, added=4, removed=2)
    review = one_file.review()
    assert review.verdict is Verdict.NEUTRAL
    assert "partly reviewed" in review.coverage.difference.lower()


def test_a_hostile_file_cannot_put_findings_on_another_file_even_with_an_obedient_model(world):
    orders = json.dumps(
        {"path": "app.py", "at": world.tag("app.py", 2), "body": "x", "title": "y", "severity": "critical"}
    )
    world.script = lambda prompt, before: (orders + "\n" + END) if on_path(prompt, "other.py") else END
    review = world.review()
    assert review.findings == ()
    assert len(review.misplaced) == 1


def test_findings_come_in_the_same_order_whatever_the_streams_do(world):
    def script(prompt, before):
        path = "app.py" if on_path(prompt, "app.py") else "other.py"
        return world.says(path, 2, severity="high") + END

    world.script = script
    orders = {tuple(finding.path for finding in world.review().findings) for _ in range(10)}
    assert orders == {("app.py", "other.py")}


def test_what_is_beside_the_findings_comes_in_one_order_too(world):
    world.effort = Effort.STANDARD

    def script(prompt, before):
        if prompt.kind is CallKind.CHECK:
            return REFUTED
        path = "app.py" if on_path(prompt, "app.py") else "other.py"
        lost = json.dumps({"path": path, "at": "R99#abc", "body": "Lost.", "category": "bug", "severity": "low"}) + "\n"
        return world.says(path, 2) + lost + END

    world.script = script
    for _ in range(10):
        review = world.review()
        assert [dropped.finding.path for dropped in review.dropped] == ["app.py", "other.py"]
        assert [lost.path for lost in review.misplaced] == ["app.py", "other.py"]


def test_the_repositorys_budget_reaches_the_model_and_the_clock(one_file):
    one_file.config = "budget:\n  max_usd: 0.25\n  seconds: 5\n"
    one_file.review()
    assert one_file.max_usd == 0.25
    assert one_file.stop.left() <= 5


def test_guidelines_come_from_the_base_and_a_missing_one_is_told(one_file):
    one_file.config = "guidelines: [AGENTS.md, RULES.md]\n"
    one_file.base = {"AGENTS.md": "Money is counted in cents."}
    review = one_file.review()
    (prompt,) = one_file.model.prompts
    assert "Money is counted in cents." in prompt.user
    assert review.notices == ("The guideline RULES.md is not on the base branch.",)


def test_an_analyzer_that_the_repository_switched_off_does_not_run(one_file, a_result):
    one_file.config = "analyzers:\n  ruff: false\n"
    tool = one_file.tool(a_result(one_file))
    tool.name = "ruff"
    one_file.analyzers = [tool]
    assert one_file.review().findings == ()


@pytest.fixture
def a_result():
    def make(world, line: int = 2) -> AnalyzerResult:
        anchor = anchor_lines(world.patch.files[0], Side.RIGHT, line, line)
        assert isinstance(anchor, Anchor)
        return AnalyzerResult(
            anchor=anchor,
            severity=Severity.MEDIUM,
            category=Category.BUG,
            title="Mutable default argument",
            body="Do not use mutable data structures for argument defaults.",
            suggestion=None,
            rule="B006",
            source="ruff",
        )

    return make


def test_found_events_carry_the_seconds_of_the_first_finding(one_file):
    one_file.script = lambda prompt, before: one_file.says("app.py", 2) + END
    review = one_file.review()
    (found,) = one_file.ear.of(Found)
    assert review.timing.first_finding == pytest.approx(found.at, abs=0.05)
    assert review.timing.diff <= review.timing.first_token <= review.timing.done
