from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from bot.cli.terminal import CHANGED, TerminalListener, show_review
from bot.diff.model import HunkKey
from bot.html.report import review_html
from bot.review.events import Finished, Found, Lost, Note, Progress, Started
from bot.review.model import Dropped, Finding, FindingStatus, Fingerprint, Review, Severity, Usage
from bot.review.render.markdown import review_markdown
from bot.review.scope import Chunk, Coverage, Plan, Skip, SkipReason

MakeReview = Callable[..., Review]
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
PLAN = Plan(chunks=(Chunk(id=0, hunks=(HunkKey(0, 0), HunkKey(0, 1)), print=str, tokens=1, paths=()),), skipped=())


def a_console(*, tty: bool, width: int = 100, encoding: str = "utf-8") -> tuple[Console, Callable[[], str]]:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True, newline="\n")
    console = Console(
        file=file,
        force_terminal=tty,
        width=width,
        color_system="truecolor" if tty else None,
        legacy_windows=False,
        _environ={},
    )

    def written() -> str:
        file.flush()
        return raw.getvalue().decode(encoding)

    return console, written


@contextmanager
def watching(console: Console) -> Iterator[TerminalListener]:
    listener = TerminalListener(console)
    try:
        yield listener
    finally:
        listener.close()


def test_a_finding_is_printed_the_moment_it_comes(a_review: MakeReview) -> None:
    console, written = a_console(tty=False)
    review = a_review()
    with watching(console) as listener:
        listener.on(Started(at=0.1, change=review.change, plan=PLAN, model=review.model))
        assert "Discounts for the cart: 3 files, +12 -6, 2 hunks, 1 call to codex-spark-preview\n" in written()
        listener.on(Found(at=0.6, finding=review.findings[1]))
        assert "HIGH bug src/shop/cart.py:15  A discount raises the total\n" in written()
        assert "  ▌ 15 │ +         return amount / (1 - discount)\n" in written()
        assert "    - " in written()
        assert "  proven: applied and parsed · votes 2/3\n" in written()


def test_the_end_says_verdict_coverage_skips_and_measures(a_review: MakeReview) -> None:
    console, written = a_console(tty=False)
    show_review(console, a_review())
    lines = written().splitlines()
    for line in (
        "verdict: Fail: 1 critical and 2 high findings; the gate is at high",
        "findings: 6 new findings: 1 critical, 2 high, 2 medium, 1 low, 1 still open: 1 high",
        "coverage: 3 of 4 hunks reviewed; 3 files skipped; 1 file not reviewed in full.",
        "not reviewed: src/shop/cart.py, lines 42-46: the stream was cut",
        "skipped: too large: huge.sql (1,200,000 lines)",
        "not shown: 1 refuted by the check",
        "MEDIUM tests src/shop/cart.py R99#zzz  No test covers a discount of 1",
    ):
        assert line in lines
    assert lines[-1].startswith("measured: diff 0.20 s")


def test_a_finding_is_printed_once(a_review: MakeReview) -> None:
    console, written = a_console(tty=False)
    review = a_review()
    with watching(console) as listener:
        listener.on(Started(at=0.0, change=review.change, plan=PLAN, model=review.model))
        for finding in review.findings[:3]:
            listener.on(Found(at=0.1, finding=finding))
        listener.on(Finished(at=1.0, review=review))
    assert written().count("SQL is built from a name that users choose") == 1
    assert written().count("Unused default export") == 1


def test_what_a_rule_of_the_repository_dismisses_is_counted_by_its_reason_and_not_printed(a_review: MakeReview) -> None:
    console, text = a_console(tty=False)
    review = a_review()
    ruled = [
        replace(finding, status=FindingStatus.DISMISSED, excused=True, lasting=f"reason {at}")
        for at, finding in enumerate(review.findings[:1] * 5)
    ]
    with watching(console) as listener:
        listener.on(Found(at=0.2, finding=ruled[0]))
        listener.on(Finished(at=1.0, review=replace(review, findings=(*ruled, ruled[1]))))
    assert ruled[0].title not in text()
    aside = [line.removeprefix("not shown: ") for line in text().splitlines() if "spark.yml" in line]
    by = "dismissed by .github/spark.yml"
    severity = ruled[0].severity.value
    assert aside == [
        f"2 {by}: reason 1 (2 {severity})",
        *(f"1 {by}: reason {at} (1 {severity})" for at in (0, 2, 3)),
        f"1 {by} for other reasons (1 {severity})",
    ]


def test_what_people_dismissed_is_named_with_who_and_why_in_every_report(a_review: MakeReview) -> None:
    console, text = a_console(tty=False)
    whole = a_review()
    dismissed = replace(
        whole.findings[0],
        status=FindingStatus.DISMISSED,
        excused=True,
        title="Name <b> of it",
        thread="https://github.com/acme/shop/pull/12#discussion_r5",
        dismissed_by="bob",
        dismissed_why="only\nwe call \x1b[31mit",
    )
    review = replace(whole, findings=(dismissed,))
    with watching(console) as listener:
        listener.on(Finished(at=1.0, review=review))
    said = "by bob in #12: only we call [31mit"
    assert f"dismissed: Name <b> of it {said} ({dismissed.thread})\n" in text()
    html = review_html(review)
    assert f"Dismissed: Name &lt;b&gt; of it {said} ({dismissed.thread})." in html
    safe = said.replace("#12", "`#12`").replace("[", "\\[")
    assert f"- dismissed: Name &lt;b&gt; of it {safe} (`{dismissed.thread}`)\n" in review_markdown(review)


def test_a_finding_that_became_worse_after_it_was_shown_is_shown_as_it_is_now(a_review: MakeReview) -> None:
    console, written = a_console(tty=False)
    review = a_review()
    worst = review.findings[0]
    with watching(console) as listener:
        listener.on(Started(at=0.0, change=review.change, plan=PLAN, model=review.model))
        listener.on(Found(at=0.1, finding=replace(worst, severity=Severity.LOW)))
        listener.on(Found(at=0.1, finding=replace(review.findings[1], votes=None)))
        listener.on(Finished(at=1.0, review=review))
    assert f"{CHANGED}\nCRITICAL security src/shop/cart.py:19-20" in written()
    assert written().count(CHANGED) == 1
    assert written().count("A discount raises the total") == 1


def test_a_finding_that_went_into_a_tools_is_shown_as_that_one(a_review: MakeReview) -> None:
    console, written = a_console(tty=False)
    review = a_review()
    merged = replace(review.findings[0], source="ruff", rule="S608", fingerprint=Fingerprint("5608"))
    with watching(console) as listener:
        listener.on(Started(at=0.0, change=review.change, plan=PLAN, model=review.model))
        listener.on(Found(at=0.1, finding=replace(review.findings[0], severity=Severity.HIGH)))
        listener.on(Finished(at=1.0, review=a_review(findings=(merged,))))
    assert f"{CHANGED}\nCRITICAL security" in written()


def test_while_the_change_is_read_the_status_line_says_so(a_review: MakeReview) -> None:
    console, written = a_console(tty=True)
    review = a_review()
    with watching(console) as listener:
        listener.wait()
        listener.on(Started(at=0.0, change=review.change, plan=PLAN, model=review.model))
        assert "reading the change · 0." in ESCAPE.sub("", written())
        listener.on(Progress(at=0.5, chunks_done=0, chunks=1, output_tokens=0))
    assert "0/1 call · waiting for the first token" in ESCAPE.sub("", written())
    console, written = a_console(tty=False)
    with watching(console) as listener:
        listener.wait()
    assert written() == ""


def test_without_a_model_the_status_line_waits_for_no_token(a_review: MakeReview) -> None:
    console, written = a_console(tty=True)
    review = a_review()
    with watching(console) as listener:
        listener.on(Started(at=0.0, change=review.change, plan=PLAN, model=None))
        listener.on(Found(at=0.1, finding=review.findings[0]))
    plain = ESCAPE.sub("", written())
    assert "analyzers at work · 1 finding" in plain
    assert "token" not in plain


def test_a_pipe_gets_plain_lines_that_are_never_wrapped_or_cut(
    a_review: MakeReview, a_finding: Callable[..., Finding]
) -> None:
    console, written = a_console(tty=False, width=40)
    show_review(console, a_review(findings=(a_finding(body="word " * 60),)))
    assert not CONTROL.search(written())
    assert "word " * 59 in written()
    assert "…" not in written()


def test_a_terminal_gets_colour_a_status_line_and_lines_that_fit(a_review: MakeReview) -> None:
    console, written = a_console(tty=True, width=60)
    review = a_review()
    with watching(console) as listener:
        listener.on(Started(at=0.0, change=review.change, plan=PLAN, model=review.model))
        listener.on(Progress(at=0.5, chunks_done=0, chunks=1, output_tokens=100))
        listener.on(Progress(at=1.0, chunks_done=1, chunks=1, output_tokens=600))
        listener.on(Found(at=1.0, finding=review.findings[0]))
        listener.on(Finished(at=1.1, review=review))
    plain = ESCAPE.sub("", written())
    assert "1/1 call · 600 tokens (1,000/s)" in plain
    assert "\x1b[31m" in written() or "\x1b[1;31m" in written()
    frames = [line for line in plain.split("\n") if "▌" in line]
    assert frames
    assert all(len(line) <= 60 for line in frames)


def test_no_color_is_respected(a_review: MakeReview) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, _environ={"NO_COLOR": "1", "TERM": "xterm-256color"})
    show_review(console, a_review())
    colours = [
        code for code in re.findall(r"\x1b\[([0-9;]*)m", file.getvalue()) if re.search(r"(?:^|;)(?:3|4|9)\d", code)
    ]
    assert not colours


def test_a_dumb_terminal_gets_no_status_line(a_review: MakeReview) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, _environ={"TERM": "dumb"})
    review = a_review()
    with watching(console) as listener:
        listener.on(Started(at=0.0, change=review.change, plan=PLAN, model=review.model))
        listener.on(Finished(at=1.0, review=review))
    assert "\x1b[?25l" not in file.getvalue()


HOSTILE = "\x1b[31m\x1b]0;owned\x07 \x9b2J \u202eabc\u200b \x08\x08 [bold]x[/bold] [link=http://x]y[/link] :smile: \r\nend\ud800\udcff"


@pytest.mark.parametrize("tty", [True, False])
def test_no_control_code_of_others_reaches_the_terminal(
    a_review: MakeReview, a_finding: Callable[..., Finding], *, tty: bool
) -> None:
    console, written = a_console(tty=tty)
    hostile = a_finding(
        title=HOSTILE, body=HOSTILE, suggestion=HOSTILE, proven=True, note=HOSTILE, rule=HOSTILE, source="ruff"
    )
    review = a_review(findings=(hostile,), reason=HOSTILE, notices=(HOSTILE,), model=HOSTILE)
    with watching(console) as listener:
        listener.on(Started(at=0.0, change=review.change, plan=PLAN, model=HOSTILE))
        listener.on(Note(at=0.0, text=HOSTILE))
        listener.on(Lost(at=0.0, what=Dropped(finding=hostile, reason="refuted", why=HOSTILE)))
        listener.on(Finished(at=1.0, review=review))
    own = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|[0-9]*[AK])|\r") if tty else re.compile(r"(?!)")
    assert not CONTROL.search(own.sub("", written()))
    assert "\x1b]" not in written()
    assert "[bold]x[/bold]" in written()


@given(text=st.text(max_size=80))
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_can_be_printed_in_any_encoding(
    a_review: MakeReview, a_finding: Callable[..., Finding], text: str
) -> None:
    for encoding in ("ascii", "latin-1", "utf-8"):
        console, written = a_console(tty=False, encoding=encoding)
        show_review(console, a_review(findings=(a_finding(title=text, body=text, suggestion=text, proven=True),)))
        assert not CONTROL.search(written())


def test_an_ascii_terminal_gets_ascii_signs(a_review: MakeReview) -> None:
    console, written = a_console(tty=False, encoding="ascii")
    show_review(console, a_review())
    assert "  > 15 | +         return amount / (1 - discount)" in written()


def test_wide_characters_and_tabs_keep_to_the_width(a_review: MakeReview, a_finding: Callable[..., Finding]) -> None:
    from rich.cells import cell_len

    console, written = a_console(tty=True, width=50)
    show_review(console, a_review(findings=(a_finding(title="日本語" * 20, body="価格\tを保存する" * 20),)))
    assert all(cell_len(line) <= 50 for line in ESCAPE.sub("", written()).split("\n"))


def test_analyzers_alone_and_everything_skipped_are_said(empty_review: MakeReview) -> None:
    console, written = a_console(tty=False)
    coverage = Coverage(hunks=0, reviewed=0, holes=(), skipped=(Skip(path="a.lock", reason=SkipReason.LOCK),))
    show_review(
        console, empty_review(model=None, usage=Usage(), notices=("No model: no key is set.",), coverage=coverage)
    )
    assert "notice: No model: no key is set.\n" in written()
    assert "findings: No findings from the analyzers\n" in written()
    assert "coverage: Nothing was left to review; 1 file skipped.\n" in written()
    assert "no model calls" in written()


def test_many_skipped_files_are_counted(empty_review: MakeReview) -> None:
    console, written = a_console(tty=False)
    skipped = tuple(Skip(path=f"v/{at}", reason=SkipReason.VENDORED) for at in range(50))
    show_review(console, empty_review(coverage=Coverage(hunks=1, reviewed=1, holes=(), skipped=skipped)))
    assert "skipped: vendored: v/0, v/1, v/2, v/3, v/4, v/5 and 44 more\n" in written()
