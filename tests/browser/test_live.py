"""A review watched in a browser while it is written, through an outage of the server and a run that begins anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.engine.model import Ended, JobState
from bot.review.events import Progress

JOB = "00000000000000aa"
LOST = (
    r"Failed to load resource: net::ERR_(CONNECTION_(REFUSED|RESET|CLOSED)|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)"
)
"""What Chromium itself says of a server that is not there; nothing of ours."""
END = Ended(
    state=JobState.DONE, verdict="fail", why="1 critical finding", findings=3, usd=0.002, url="https://github.com/r/1",
    timing={"first_finding": 0.4, "done": 1.3},
)  # fmt: skip


def cards(page: Any) -> list[str]:
    """Ids of the findings beside the lines, from top to bottom."""
    return page.eval_on_selector_all(".card", "cards => cards.map(card => card.id)")


def row_before(page: Any, card: str) -> str:
    """Id of the line under which a finding stands."""
    return page.evaluate("id => document.getElementById(id).closest('tr').previousElementSibling.id", card)


def is_over_with_all_of_it(page: Any) -> None:
    """Verdict, link, cost, coverage; nothing moves any more."""
    page.wait_for_selector("main[data-over=yes]")
    page.wait_for_function("() => document.getElementById('say').textContent.includes('The review is over. Fail')")
    assert page.inner_text("#badge").lower() == "fail"
    assert page.title() == "(3) Fail · Taxes and a list · Spark"
    assert page.inner_text(".outcome") == "Fail 1 critical finding"
    assert page.get_attribute(".posted a", "href") == "https://github.com/r/1"
    assert page.inner_text("#tile-cost") == "$0.0020"
    assert page.inner_text("#tile-chunks") == "3/3"
    assert page.locator("#bar").count() == 0
    assert cards(page) == ["f-aaa1", "f-aaa3", "f-aaa2"]
    assert "3 of 3 hunks reviewed." in page.inner_text(".coverage")


def test_a_review_appears_live_and_goes_on_after_an_outage(
    site: Callable[..., Any], tab: Callable[..., Any], story: Any
) -> None:
    there = site()
    there.job(state=JobState.QUEUED)
    there.state(JobState.QUEUED)
    watched = tab(f"{there.url}/reviews/{JOB}")
    page = watched.page
    assert page.inner_text("#badge").lower() == "waiting"
    assert page.title() == "Waiting · Taxes and a list · Spark"

    there.begins()
    there.state(JobState.RUNNING)
    there.tell(story.started)
    page.wait_for_selector("#changes")
    assert page.inner_text("#badge").lower() == "reviewing"
    assert cards(page) == []

    # A finding beside its line, counted, in the list, in the title, and told to who does not see.
    there.tell(story.found(0))
    page.wait_for_selector("#f-aaa1")
    assert row_before(page, "f-aaa1") == "f0h0--4"
    assert "marked" in page.get_attribute("#f0h0--4", "class")
    assert page.inner_text("#findings-title") == "1 finding"
    assert page.inner_text("#count-medium") == "1 medium"
    assert page.inner_text("#f0-badge").split()[0] == "1"
    assert page.title() == "(1) Reviewing · Taxes and a list · Spark"
    assert page.text_content("#say") == "Finding: medium, The file stays `open`, shop/cart.py line 4"
    assert page.get_attribute("#say", "aria-live") == "polite"
    assert page.inner_text("#tile-first") not in {"–", ""}

    there.tell(Progress(at=0.5, chunks_done=0, chunks=2, output_tokens=100))
    there.tell(Progress(at=0.8, chunks_done=1, chunks=2, output_tokens=400))
    page.wait_for_function("() => document.getElementById('tile-chunks').textContent === '1/2'")
    assert page.inner_text("#tile-tokens") == "400"
    assert page.inner_text("#tile-rate") == "1,000"
    assert page.eval_on_selector("#bar", "bar => bar.value / bar.max") == 0.5
    before = page.inner_text("#tile-elapsed")
    page.wait_for_function("before => document.getElementById('tile-elapsed').textContent !== before", arg=before)

    # A worse one comes later: first in the list, beside its own line on the page, and its title is text.
    there.tell(story.found(1))
    page.wait_for_selector("#f-aaa2")
    assert row_before(page, "f-aaa2") == "f1h0--2"
    assert page.eval_on_selector_all("#index li", "all => all.map(one => one.dataset.id)") == ["aaa2", "aaa1"]
    assert page.inner_text("#t-aaa2") == "Text becomes <b>HTML</b>"
    assert cards(page) == ["f-aaa1", "f-aaa2"]
    assert watched.wrong == []

    # The server goes away and comes back.
    with page.expect_console_message(lambda told: "CONNECTION_REFUSED" in told.text):
        there.stop()
    page.wait_for_selector("#link:not([hidden])")
    assert page.inner_text("#link") == "The connection was lost. Trying again…"
    there.tell(story.found(2))
    there.events.flush(JOB)
    there.start()
    page.wait_for_selector("#f-aaa3")
    page.wait_for_selector("#link", state="hidden")
    assert watched.forgive(LOST)
    assert cards(page) == ["f-aaa1", "f-aaa3", "f-aaa2"]
    assert page.locator("#index li").count() == 3
    assert page.inner_text("#findings-title") == "3 findings"

    there.tell(story.finished())
    there.ends(END)
    is_over_with_all_of_it(page)


def test_a_run_that_begins_anew_begins_the_page_anew(
    site: Callable[..., Any], tab: Callable[..., Any], story: Any
) -> None:
    there = site()
    there.job()
    there.state(JobState.RUNNING)
    there.tell(story.started, story.found(0), story.found(1))
    page = tab(f"{there.url}/reviews/{JOB}").page
    page.wait_for_selector("#f-aaa2")
    there.begins(attempt=2)
    there.events.restart(JOB)
    page.wait_for_selector("#changes", state="detached")
    assert cards(page) == []
    assert "another one began anew" in page.inner_text(".hero")
    assert page.title() == "Reviewing · Taxes and a list · Spark"
    there.tell(story.started, story.found(2))
    page.wait_for_selector("#f-aaa3")
    assert cards(page) == ["f-aaa3"]
    assert page.locator("#index li").count() == 1


@pytest.mark.parametrize("ahead", [3_600, -3_600])
def test_seconds_pass_by_the_clock_of_the_server(site: Callable[..., Any], tab: Callable[..., Any], ahead: int) -> None:
    there = site()
    there.job()
    there.state(JobState.RUNNING)
    for path, where in ((f"/reviews/{JOB}", "#tile-elapsed"), ("/", f"#job-{JOB} li")):
        page = tab(f"{there.url}{path}", ahead=ahead).page
        page.wait_for_function(
            "where => { const told = document.querySelector(where).textContent;"
            " return told.endsWith(' s') && parseFloat(told) > 0.2 && parseFloat(told) < 30; }",
            arg=where,
        )


def test_more_live_pages_than_places_ask_again_and_again(
    site: Callable[..., Any], tab: Callable[..., Any], story: Any
) -> None:
    there = site(most_live=1)
    there.job()
    there.state(JobState.RUNNING)
    there.tell(story.started)
    there.events.flush(JOB)
    first = tab(f"{there.url}/reviews/{JOB}").page
    first.wait_for_function("() => performance.getEntriesByType('resource').length >= 2")
    there.tell(story.found(0))
    first.wait_for_selector("#f-aaa1")
    second = tab(f"{there.url}/reviews/{JOB}", hurried=True)
    second.page.wait_for_selector("#link:not([hidden])")
    there.tell(story.found(1))
    second.page.wait_for_selector("#f-aaa2")
    second.page.wait_for_selector("#link", state="hidden")
    assert second.page.text_content("#say") == "1 more finding."
    # A place is free again, and is taken: what comes now comes at once.
    first.context.close()
    second.page.wait_for_function("() => performance.getEntriesByType('resource').length >= 5")
    there.tell(story.found(2), story.finished())
    there.ends(END)
    second.page.wait_for_selector("main[data-over=yes]")
    assert cards(second.page) == ["f-aaa1", "f-aaa3", "f-aaa2"]
    assert second.forgive(r"Failed to load resource: the server responded with a status of 503 .*")


def test_the_list_renews_itself_and_keeps_the_focus(site: Callable[..., Any], tab: Callable[..., Any]) -> None:
    there = site()
    there.job(state=JobState.RUNNING)
    page = tab(f"{there.url}/", hurried=True).page
    assert "reviewing" in page.inner_text(f"#job-{JOB}")
    page.focus(f"#to-{JOB}")
    there.job("0" * 15 + "b", JobState.QUEUED, title="Another one")
    page.wait_for_selector("#job-" + "0" * 15 + "b")
    there.ends(END)
    page.wait_for_selector(f"#job-{JOB}.fail")
    assert "3 findings" in page.inner_text(f"#job-{JOB}")
    assert page.evaluate("document.activeElement.id") == f"to-{JOB}"
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/reviews/{JOB}")
