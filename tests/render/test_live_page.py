"""The page of a review in each of its states, made of the events that a real review tells; and the list of reviews."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from bot.diff.model import Anchor, Patch, Side
from bot.diff.parse import read_patch
from bot.html import live_parts
from bot.html.list_page import Head, list_main, list_page
from bot.html.live_page import STATES, JobView, review_main, review_page
from bot.html.snapshot import Snapshot
from bot.live.events import LiveEvent, LiveKind, Numbered
from bot.live.picture import Picture
from bot.review.events import Finished, Found, Lost, Note, Progress, ReviewEvent, Started
from bot.review.model import Finding, FindingStatus, Fingerprint, Review
from bot.review.scope import Plan

NOW = 1_800_000_000.0
VOID = {"meta", "link", "br", "hr", "img", "col", "input"}
NASTY = "<script>alert('x')</script><img src=x onerror=alert(1)> \"quoted\" & 'single' {{ 7 * 7 }} </title></main>"


class Page(HTMLParser):
    """Reads HTML strictly: every tag closed in order, ids unique. `bare`: text outside of tags."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.bare: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []
        ids = [known["id"] for _, known in self.tags if "id" in known]
        assert len(ids) == len(set(ids)), "an id is there twice"
        self.ids = set(ids)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag
        if tag == "dt":
            self.bare.append(" ")

    def handle_data(self, data: str) -> None:
        self.bare.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.bare).split())

    def of(self, tag: str, **known: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag and known.items() <= attrs.items()]


def view(**fields: Any) -> JobView:
    known: dict[str, Any] = {
        "id": "00000000000000aa",
        "repo": "acme/shop",
        "number": 7,
        "title": "Discounts for the cart",
        "author": "octocat",
        "head": "2" * 40,
        "state": "running",
        "why": "",
        "attempt": 1,
        "url": "https://github.example/acme/shop/pull/7",
        "review_url": "",
        "created_at": NOW - 10,
        "seconds": None,
        "delivery": "d-1",
    }
    return JobView(**(known | fields))


DONE = {"state": "done", "verdict": "fail", "why": "the gate is at high", "seconds": 2.5, "usd": 0.0041, "findings": 5}


def told(*events: ReviewEvent | LiveEvent) -> Snapshot:
    picture = Picture()

    def live() -> Iterator[LiveEvent]:
        for event in events:
            if isinstance(event, LiveEvent):
                yield event
            else:
                yield from picture.of(event)

    return Snapshot.of(Numbered(seq=seq, event=event) for seq, event in enumerate(live(), 1))


def state(name: str, **more: Any) -> LiveEvent:
    return LiveEvent(kind=LiveKind.STATE, data={"state": name, "why": "", **more})


def page(job: JobView, snapshot: Snapshot) -> Page:
    return Page(review_page(job, snapshot, now=NOW, signed_in=False))


@pytest.fixture
def events(a_review: Callable[..., Review]) -> list[ReviewEvent | LiveEvent]:
    """All that a whole review tells."""
    review = a_review()
    return [
        state("running"),
        Started(at=0.2, change=review.change, plan=Plan(chunks=(), skipped=review.coverage.skipped), model="fast"),
        *[Found(at=0.5 + 0.1 * at, finding=finding) for at, finding in enumerate(review.findings)],
        *[Lost(at=0.9, what=what) for what in (*review.dropped, *review.misplaced)],
        Note(at=0.9, text="a stream was `tried` again"),
        Progress(at=1.0, chunks_done=1, chunks=2, output_tokens=1200),
        Finished(at=1.1, review=review),
        state("done"),
    ]


def test_a_waiting_review_says_so(events: list[ReviewEvent | LiveEvent]) -> None:
    shown = page(view(state="queued"), told())
    assert "Waiting Waits for its turn" in shown.text
    assert "No findings yet" in shown.text
    [main] = shown.of("main")
    assert (main["data-over"], main["data-seq"], main["data-since"]) == ("", "0", str(NOW - 10))
    assert "changes" not in shown.ids


def test_a_running_review_without_a_diff_reads_the_change() -> None:
    shown = page(view(), told(state("running")))
    assert "Reviewing The change is being read" in shown.text
    assert shown.of("progress", id="bar")


def test_a_running_review_shows_findings_under_their_lines(
    events: list[ReviewEvent | LiveEvent], a_review: Callable[..., Review]
) -> None:
    html = review_page(view(), told(*events[:4]), now=NOW, signed_in=True)
    shown = Page(html)
    # The page is of the 2nd and 3rd: the SQL's last line is the 20th of the new file, in the first hunk of the first.
    row = re.search(r'<tr id="f0h0--20".*?</tr>\s*<tr class="cards">(.*?)</tr>', html, re.DOTALL)
    assert row is not None
    assert 'id="f-f00d"' in row[1]
    assert "INSERT INTO log VALUES (?)" in row[1]
    assert "marked critical" in next(str(attrs["class"]) for attrs in shown.of("tr", id="f0h0--19"))
    assert shown.of("span", id="f0-badge")[0].get("hidden", "no") == "no"
    assert "hidden" in shown.of("span", id="f2-badge")[0]
    assert "2 findings" in shown.text
    # In the order of their severity, and counted.
    assert [attrs["href"] for attrs in shown.of("a") if str(attrs["href"]).startswith("#f-")] == [
        "#f-f00d",
        "#f-a1b2c3d4e5f60718",
    ]
    assert "1 critical" in shown.text
    assert "(2) Reviewing · Discounts for the cart · Spark" in shown.text
    assert shown.of("form", action="/signout")
    assert "0.50 s to the first finding" in _tiles(shown)


def _tiles(shown: Page) -> list[str]:
    """What the figures at the top say; the style turns name and figure round."""
    names = "to the first finding|in all|tokens per second|tokens written|cost|hunks reviewed|parts read"
    return [f"{figure} {name}" for name, figure in re.findall(rf"({names}) ([\d.,$/–]+(?: s\b)?)", shown.text)]


def test_a_finished_review_shows_all_of_it(events: list[ReviewEvent | LiveEvent]) -> None:
    job = view(**DONE, review_url="https://github.example/r", timing={"first_finding": 0.71})
    shown = page(job, told(*events))
    assert "Fail The gate is at high" in shown.text
    assert shown.of("a", href="https://github.example/r")
    [main] = shown.of("main")
    assert (main["data-over"], main["data-since"], main["data-badge"], main["data-tone"]) == ("yes", "", "fail", "fail")
    assert not shown.of("progress")
    assert _tiles(shown)[:2] == ["0.71 s to the first finding", "2.5 s in all"]
    assert "cost $0.0041" in shown.text
    assert "hunks reviewed 3/4" in shown.text
    assert "3 of 4 hunks reviewed." in shown.text
    assert "the stream was cut" in shown.text
    assert "4 skipped files" in shown.text
    assert "huge.sql : 1,200,000 lines" in shown.text or "huge.sql: 1,200,000 lines" in shown.text
    assert "3 dropped, and why" in shown.text
    assert "Refuted when it was checked: the caller checks it" in shown.text
    assert "a stream was tried again" in shown.text
    assert "The endpoint does not take temperature; it was left out." in shown.text
    assert "not posted: below the threshold" in shown.text
    assert "not posted: over the limit of comments" in shown.text
    assert "it has a thread already" in shown.text
    assert "not posted: it was dismissed" in shown.text
    assert "3 calls, 12,345 tokens read" in shown.text
    assert "cart.py:17 (removed)" in shown.text


@pytest.mark.parametrize("verdict", ["pass", "fail", "neutral"])
def test_each_verdict_has_its_badge_and_colour(verdict: str, events: list[ReviewEvent | LiveEvent]) -> None:
    shown = page(view(**(DONE | {"verdict": verdict})), told(*events))
    assert shown.of("span", id="badge") == [{"class": f"verdict {verdict}", "id": "badge"}]
    assert f"{verdict.capitalize()} The gate is at high" in shown.text


def test_a_failed_review_says_why_and_what_to_do() -> None:
    job = view(state="failed", why="GitHub does not answer", seconds=3.0, error="OutsideError", delivery="abc-123")
    shown = page(job, told(state("running"), state("failed")))
    assert "Failed GitHub does not answer" in shown.text
    assert "press Re-run on its check on GitHub" in shown.text
    assert "abc-123 redelivered" in shown.text
    assert shown.of("a", href="https://github.example/acme/shop/pull/7/checks")
    assert "OutsideError" in shown.text


@pytest.mark.parametrize(
    ("name", "why", "said"),
    [
        ("superseded", "a newer push came", "Superseded A newer push came"),
        ("skipped", "drafts are not reviewed", "Not reviewed Drafts are not reviewed"),
    ],
)
def test_a_review_that_was_not_made_says_why(name: str, why: str, said: str) -> None:
    shown = page(view(state=name, why=why, seconds=1.0), told(state(name)))
    assert said in shown.text
    assert "No findings" in shown.text
    assert "redelivered" not in shown.text


def test_a_run_that_began_anew_or_only_posted_says_so(events: list[ReviewEvent | LiveEvent]) -> None:
    assert "another one began anew" in page(view(attempt=2), told(state("running"))).text
    resumed = told(*events[:-2], state("running", resumed=True), *events[-2:])
    shown = page(view(**DONE, attempt=2), resumed)
    assert "another one posted it" in shown.text
    assert "began anew" not in shown.text
    assert "f-f00d" in shown.ids
    assert "began anew" not in page(view(), told(*events[:3])).text


def test_a_finding_that_was_kept_and_never_told_is_shown_in_its_file(
    events: list[ReviewEvent | LiveEvent],
) -> None:
    without = [event for event in events if not (isinstance(event, Found) and event.finding.fingerprint == "cafe")]
    html = review_page(view(**DONE), told(*without), now=NOW, signed_in=False)
    assert len(Page(html).of("article")) == 8
    loose = re.search(r'id="f2-loose">(.*?)</div>\s*<div class="hunk">', html, re.DOTALL)
    assert loose is not None
    assert 'id="f-cafe"' in loose[1]


def test_a_dismissed_finding_says_by_whom_whether_it_was_told_before_or_not(
    a_review: Callable[..., Review], a_finding: Callable[..., Finding]
) -> None:
    early, kept = (a_finding(fingerprint=Fingerprint(name), note="unsure.") for name in ("aa", "bb"))
    done = [
        replace(one, status=FindingStatus.DISMISSED, note="unsure. Dismissed by bob: <b>not</b> ours.")
        for one in (early, kept)
    ]
    review = a_review(findings=tuple(done))
    started = Started(at=0.1, change=review.change, plan=Plan(chunks=(), skipped=()), model=None)
    snapshot = told(started, Found(at=0.2, finding=early), Finished(at=1.0, review=review))
    text = page(view(**DONE), snapshot).text
    said = "unsure. Dismissed by bob: <b>not</b> ours. · not posted: it was dismissed"
    assert text.count(said) == 2
    assert text.count("unsure.") == 2


def test_a_page_made_between_the_end_and_its_telling_goes_on_listening(events: list[ReviewEvent | LiveEvent]) -> None:
    [main] = page(view(**DONE), told(*events[:-2])).of("main")
    assert (main["data-over"], main["data-since"]) == ("", "")


def test_a_review_of_which_no_events_are_left_says_what_is_known() -> None:
    shown = page(view(**DONE), told())
    assert "Fail The gate is at high" in shown.text
    assert "5 findings" in shown.text
    assert "are not kept here any more" in shown.text
    assert "cost $0.0041" in shown.text


def test_seconds_count_from_the_delivery_also_while_it_runs(events: list[ReviewEvent | LiveEvent]) -> None:
    assert "4.5 s to the first finding" in _tiles(page(view(waited=4.0), told(*events[:3])))


def test_no_text_of_others_becomes_html(
    events: list[ReviewEvent | LiveEvent], a_finding: Callable[..., Finding], a_review: Callable[..., Review]
) -> None:
    bad = a_finding(title=NASTY, body=NASTY, suggestion=NASTY, note=NASTY, fingerprint=Fingerprint("bad"))
    review = a_review(findings=(bad,), reason=NASTY, notices=(NASTY,), model=NASTY)
    plan = Plan(chunks=(), skipped=tuple(replace(skip, detail=NASTY) for skip in review.coverage.skipped))
    snapshot = told(
        Started(at=0.1, change=review.change, plan=plan, model=NASTY),
        Found(at=0.2, finding=bad),
        Lost(at=0.3, what=replace(review.dropped[0], finding=bad, why=NASTY)),
        Lost(at=0.3, what=replace(review.misplaced[0], path=NASTY, claimed=NASTY, title=NASTY, reason=NASTY)),
        Note(at=0.4, text=NASTY),
        Finished(at=0.5, review=review),
        state("done"),
    )
    assert snapshot.started is not None
    files = [{**snapshot.started["files"][0], "path": NASTY, "old_path": NASTY + "2"}, *snapshot.started["files"][1:]]
    snapshot.started = {**snapshot.started, "files": files, "base": NASTY}
    text = dict.fromkeys(("title", "author", "why", "error", "delivery"), NASTY)
    for name in STATES:
        job = view(**(DONE | text | {"state": name, "repo": NASTY, "head": NASTY}))
        shown = page(job, snapshot)
        assert shown.text.count("<script>alert('x')</script>") >= 8, name
        head = Head(days=7, reviews=1, failed=0, waiting=0, running=0, first_finding=None, done=None, usd=0.0)
        filters = {"state": "", "repo": NASTY}
        listed = Page(list_page([job], head, now=NOW, filters=filters, older="", signed_in=False))
        for each in (shown, listed):
            assert [attrs.get("src") for attrs in each.of("script")] == [each.of("script")[0]["src"]]
            assert not each.of("img")
            assert len(each.of("main")) == 1
            assert not [attrs for _, attrs in each.tags if any(key.startswith("on") for key in attrs)]
            assert "{{ 7 * 7 }}" in each.text
    # What is sent alone is made by the same functions.
    for each in snapshot.found.values():
        for piece in map(Page, map(str, live_parts.finding_html(each))):
            assert not piece.of("script")
            assert not piece.of("img")
        assert "\n" not in live_parts.announcement(each)


def test_markup_in_a_body_stays_text_and_links_go_nowhere(events: list[ReviewEvent | LiveEvent]) -> None:
    html = review_page(view(**DONE), told(*events), now=NOW, signed_in=False)
    assert "https://evil.example/x" in html
    assert 'href="https://evil.example' not in html
    assert "<code>item.name</code>" in html


def test_hidden_characters_are_spelled_out() -> None:
    shown = page(view(title="pay\u202eload\u200b"), told())
    assert "\u202e" not in "".join(shown.bare)


def test_what_is_live_and_what_is_made_later_is_the_same_html(events: list[ReviewEvent | LiveEvent]) -> None:
    snapshot = told(*events[:5])
    html = "".join(review_main(view(), snapshot, now=NOW).split())
    for each in snapshot.found.values():
        for piece in live_parts.finding_html(each):
            assert "".join(piece.split()) in html


def _long(lines: int, path: str = "big.py") -> Patch:
    text = "".join(f"+x{number} = call({number}, 'text')  # why\n" for number in range(lines))
    head = f"diff --git a/{path} b/{path}\nnew file mode 100644\nindex 0000000..c0ffee1\n--- /dev/null\n+++ b/{path}\n"
    return read_patch(f"{head}@@ -0,0 +1,{lines} @@\n{text}".encode())


def test_lines_left_out_are_counted_and_a_finding_on_one_stands_at_its_files_top(
    a_review: Callable[..., Review], a_finding: Callable[..., Finding]
) -> None:
    patch = _long(4_500)
    change = replace(a_review().change, patch=patch)
    line = patch.files[0].hunks[0].lines[4_400]
    anchor = Anchor(
        path="big.py", side=Side.RIGHT, start_line=4_401, line=4_401, hunk=patch.files[0].hunks[0].key, text=(line.text,)
    )  # fmt: skip
    snapshot = told(
        Started(at=0.1, change=change, plan=Plan(chunks=(), skipped=()), model="m"),
        Found(at=0.2, finding=a_finding(anchor)),
    )
    html = review_page(view(), snapshot, now=NOW, signed_in=False)
    assert re.search(r"[\d,]+ more lines are reviewed, but not shown here", Page(html).text)
    loose = re.search(r'id="f0-loose">(.*?)</div>\s*<div class="hunk">', html, re.DOTALL)
    assert loose is not None
    assert "f-a1b2c3d4e5f60718" in loose[1]


def test_a_reviewed_file_without_a_line_to_show_has_its_place(events: list[ReviewEvent | LiveEvent]) -> None:
    snapshot = told(*events[:2])
    assert snapshot.started is not None
    empty = {**snapshot.started["files"][0], "hunks": [], "rows_omitted": 12, "skip": ""}
    skipped = {**snapshot.started["files"][1], "hunks": [], "rows_omitted": 3, "skip": "lock file"}
    snapshot.started = {**snapshot.started, "files": [empty, skipped]}
    shown = page(view(), snapshot)
    assert "f0" in shown.ids
    assert "12 more lines are reviewed, but not shown here" in shown.text
    assert "f1" not in shown.ids


def test_a_file_that_no_lexer_knows_is_shown_plain(a_review: Callable[..., Review]) -> None:
    change = replace(a_review().change, patch=_long(3, "what.unknown-kind"))
    html = review_page(
        view(),
        told(Started(at=0.1, change=change, plan=Plan(chunks=(), skipped=()), model="m")),
        now=NOW,
        signed_in=False,
    )
    assert '<td class="line">x1 = call(1, &#39;text&#39;)  # why</td>' in html


def test_four_thousand_rows_and_a_hundred_findings_are_a_page_in_a_second(
    a_review: Callable[..., Review], a_finding: Callable[..., Finding]
) -> None:
    patch = _long(4_000)
    hunk = patch.files[0].hunks[0]
    found = [
        Found(
            at=0.1 * number,
            finding=a_finding(
                Anchor(
                    path="big.py",
                    side=Side.RIGHT,
                    start_line=number,
                    line=number,
                    hunk=hunk.key,
                    text=(hunk.lines[number - 1].text,),
                ),
                fingerprint=Fingerprint(f"{number:x}"),
            ),
        )
        for number in range(1, 1_000, 10)
    ]
    change = replace(a_review().change, patch=patch)
    snapshot = told(Started(at=0.1, change=change, plan=Plan(chunks=(), skipped=()), model="m"), *found)
    review_page(view(), told(), now=NOW, signed_in=False)
    began = time.thread_time()
    html = review_page(view(), snapshot, now=NOW, signed_in=False)
    # Quiet: 0.25 s the first time, a few hundredths for everybody else; with room for a busy machine.
    assert time.thread_time() - began < 1.0
    began = time.thread_time()
    assert review_page(view(), snapshot, now=NOW, signed_in=False) == html
    assert time.thread_time() - began < 0.6
    assert html.count("<article") == 100
    assert html.count('<tr id="') == 4_000


HEAD = Head(days=7, reviews=12, failed=1, waiting=2, running=3, first_finding=0.45, done=7.25, usd=1.5)


def listed(*jobs: JobView, filters: dict[str, str] | None = None, older: str = "") -> Page:
    filters = filters or {"state": "", "repo": ""}
    html = list_page(jobs, HEAD, now=NOW, filters=filters, older=older, signed_in=False)
    assert list_main(jobs, HEAD, now=NOW, filters=filters, older=older).strip() in html
    return Page(html)


def test_the_list_has_its_figures_and_a_row_for_each_review() -> None:
    shown = listed(view(**DONE), view(id="b" * 16, state="queued"), view(id="c" * 16, number=None, title=""))
    assert "reviews 12" in shown.text
    assert "to the first finding, median 0.45 s" in shown.text
    assert "to the end, median 7.2 s" in shown.text
    assert "spent $1.50" in shown.text
    assert "running · waiting 3 · 2" in shown.text
    assert "✕ fail Discounts for the cart acme/shop #7 · 2222222 · octocat · just now The gate is at high" in shown.text
    assert "5 findings2.5 s$0.0041" in shown.text
    assert "○ waiting" in shown.text
    assert "● reviewing 2222222222" in shown.text
    # What is not over has its seconds running; links have ids, so that a new list keeps the focus.
    assert len(shown.of("li", **{"data-since": str(NOW - 10)})) == 2
    assert all("id" in attrs for attrs in shown.of("a") if attrs["href"] != "#main")


@pytest.mark.parametrize(
    ("seconds", "said"), [(5, "just now"), (125, "2 min ago"), (7_300, "2 h ago"), (200_000, "2 d ago")]
)
def test_ages_are_rounded_and_exact_for_who_points_at_them(seconds: float, said: str) -> None:
    shown = listed(view(**DONE, created_at=NOW - seconds))
    assert said in shown.text
    [moment] = shown.of("time")
    assert str(moment["title"]).endswith(" UTC")


def test_an_empty_list_says_what_to_do_and_an_empty_choice_leads_back() -> None:
    assert "Install the App on a repository" in listed().text
    shown = listed(filters={"state": "failed", "repo": "acme/shop"})
    assert "Nothing like that." in shown.text
    assert shown.of("a", **{"aria-current": "true"})[0]["href"] == "/?state=failed&repo=acme/shop"
    assert shown.of("a", href="/?state=failed")


def test_older_reviews_have_a_link() -> None:
    assert listed(view(), older="/?before=1.5").of("a", href="/?before=1.5")
