"""What people need of the pages: keys, focus, contrast in both schemes, a narrow screen, and no mouse."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from bot.engine.model import Ended, JobState
from bot.live.events import LiveEvent, LiveKind

JOB = "00000000000000aa"
PASS = Ended(state=JobState.DONE, verdict="pass", why="all was reviewed", findings=3, usd=0.01)
FAIL = Ended(state=JobState.DONE, verdict="fail", why="1 critical finding", findings=3, usd=0.01)
LONG = "An_endless_title_without_a_place_to_break_" * 6

_CONTRAST = """
() => {
  const parse = (text) => {
    const parts = text.match(/[\\d.]+(e-?\\d+)?/g).map(Number);
    if (text.startsWith("color(srgb")) return [...parts.slice(0, 3).map((part) => part * 255), parts[3] ?? 1];
    return [...parts.slice(0, 3), parts[3] ?? 1];
  };
  const over = (top, below) => top.slice(0, 3).map((part, at) => part * top[3] + below[at] * (1 - top[3]));
  const light = (color) => {
    const [r, g, b] = color.map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    const plain = matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255];
    return layers.reverse().reduce((below, top) => over(top, below), plain);
  };
  const seen = {};
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.textContent.trim()).join("");
    const style = getComputedStyle(element);
    if (!text || !element.checkVisibility() || element.closest(".sr, .skip, svg") || style.fontSize === "0px") continue;
    const back = ground(element);
    const [one, other] = [light(over(parse(style.color), back)), light(back)];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const name = `${element.tagName.toLowerCase()}.${element.className} in .${element.parentElement.className}`;
    if (!(seen[name]?.[0] <= ratio)) seen[name] = [ratio, text.slice(0, 30)];
  }
  return seen;
}
"""
"""The least WCAG 2 contrast of each kind of element that has text."""


@pytest.fixture
def told(site: Callable[..., Any], story: Any) -> Callable[..., Any]:
    """A site with one review in each state, the first with everything in it."""

    def make(**options: Any) -> Any:
        there = site(**options)
        there.job(ended=FAIL, state=JobState.DONE)
        there.state(JobState.RUNNING)
        there.tell(story.started, *(story.found(number) for number in range(3)))
        for kind, data in (
            (LiveKind.NOTE, {"at": 1.0, "text": "a stream was `tried` again"}),
            (LiveKind.LOST, {"at": 1.0, "kind": "refuted", "path": "a.py", "line": 3, "title": "Not so", "severity": "low",
                             "reason": "Refuted when it was checked"}),
        ):  # fmt: skip
            there.events.tell(JOB, LiveEvent(kind=kind, data=data))
        there.tell(story.finished())
        there.state(JobState.DONE)
        there.events.flush(JOB)
        failed = Ended(state=JobState.FAILED, why="the endpoint does not answer", error="OutsideError")
        neutral = Ended(state=JobState.DONE, verdict="neutral", why="1 of 3 hunks was not reviewed", usd=0.002)
        for number, (state, ended) in enumerate(
            (
                (JobState.DONE, PASS),
                (JobState.DONE, neutral),
                (JobState.FAILED, failed),
                (JobState.SUPERSEDED, Ended(state=JobState.SUPERSEDED, why="a newer push came")),
                (JobState.SKIPPED, Ended(state=JobState.SKIPPED, why="drafts are not reviewed")),
                (JobState.RUNNING, None),
                (JobState.QUEUED, None),
            ),
            1,
        ):
            there.job(f"{number:016x}", state, ended=ended, title=LONG if number == 1 else f"Change {number}")
        return there

    return make


def test_everything_is_reached_by_keys(told: Callable[..., Any], tab: Callable[..., Any]) -> None:
    there = told()
    page = tab(f"{there.url}/reviews/{JOB}").page
    press, focused = page.keyboard.press, lambda: page.evaluate("document.activeElement.id")
    # The first stop leads past the head.
    press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    press("Enter")
    page.wait_for_function("() => location.hash === '#main'")
    # Findings in the order of the page, round and round.
    for key, card in (("n", "f-aaa1"), ("n", "f-aaa3"), ("n", "f-aaa2"), ("n", "f-aaa1"), ("p", "f-aaa2")):
        press(key)
        assert focused() == card
    page.wait_for_function(
        "() => { const box = document.activeElement.getBoundingClientRect();"
        " return box.top >= 0 && box.bottom <= innerHeight; }"
    )
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    # A fold is a button to the keyboard.
    page.focus("#f1 > summary")
    assert page.evaluate("document.activeElement.matches(':focus-visible')")
    press("Enter")
    assert page.get_attribute("#f1", "open") is None
    press("n")
    press("p")
    assert page.get_attribute("#f1", "open") is not None
    # A letter that is held with Ctrl is the browser's.
    here = focused()
    press("Control+p")
    assert focused() == here
    press("l")
    page.wait_for_url(f"{there.url}/")


def test_a_screen_reader_finds_its_way(told: Callable[..., Any], tab: Callable[..., Any]) -> None:
    there = told()
    page = tab(f"{there.url}/reviews/{JOB}").page
    headings = page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map((one) => Number(one.tagName[1]))")
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))
    assert page.eval_on_selector_all("main", "all => all.length") == 1
    assert page.locator("html").get_attribute("lang") == "en"
    unnamed = "all => all.filter((one) => !one.labels?.length && !one.ariaLabel && !one.textContent.trim()).length"
    assert page.eval_on_selector_all("a, button, input, progress, nav", unnamed) == 0
    # What comes first on the page comes first for who hears it.
    order = page.evaluate(
        "['page-title', 'findings-title', 'index', 'changes-title', 'f-aaa1', 'aside-title']"
        ".map((id) => document.getElementById(id))"
    )
    assert len(order) == 6
    tops = [page.eval_on_selector(f"#{name}", "one => one.getBoundingClientRect().top") for name in
            ("page-title", "findings-title", "index", "changes-title", "f-aaa1", "aside-title")]  # fmt: skip
    assert tops == sorted(tops)


def test_all_text_has_enough_contrast_in_light_and_dark(told: Callable[..., Any], tab: Callable[..., Any]) -> None:
    there = told(with_setup=True)
    page = tab(there.url, reduced_motion="reduce").page
    grounds = set()
    for path in ("/", f"/reviews/{JOB}", f"/reviews/{3:016x}", f"/reviews/{6:016x}", "/setup"):
        page.goto(f"{there.url}{path}")
        page.evaluate("for (const box of document.querySelectorAll('details')) box.open = true")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            found = page.evaluate(_CONTRAST)
            assert len(found) > 8
            weak = {name: (round(ratio, 2), text) for name, (ratio, text) in found.items() if ratio < 4.5}
            assert weak == {}, (path, scheme)
    assert len(grounds) == 2
    # The measure itself: a grey that is too pale on this dark ground, and one that just is not.
    page.evaluate("document.querySelector('h1').style.color = '#6a6f78'")
    assert any(name.startswith("h1") and ratio < 4.5 for name, (ratio, _) in page.evaluate(_CONTRAST).items())
    page.evaluate("document.querySelector('h1').style.color = '#8a8f98'")
    assert not any(ratio < 4.5 for ratio, _ in page.evaluate(_CONTRAST).values())


def test_nothing_is_wider_than_a_small_screen(told: Callable[..., Any], tab: Callable[..., Any]) -> None:
    there = told(token="the-page-token", with_setup=True)
    opened = tab(f"{there.url}/signin?next=%2F", viewport={"width": 400, "height": 800})
    page = opened.page

    def width() -> int:
        return page.evaluate("document.documentElement.scrollWidth")

    assert width() <= 400
    page.fill("#token", "the-page-token")
    page.keyboard.press("Enter")
    page.wait_for_selector(".jobs")
    # Its stylesheet, too.
    page.wait_for_load_state("load")
    assert width() <= 400
    for path in (f"/reviews/{JOB}", f"/reviews/{1:016x}", f"/reviews/{3:016x}", f"/reviews/{7:016x}", "/setup"):
        page.goto(f"{there.url}{path}")
        assert page.title()
        assert width() <= 400, path


def test_paper_gets_the_findings_and_no_controls(told: Callable[..., Any], tab: Callable[..., Any]) -> None:
    there = told()
    page = tab(f"{there.url}/reviews/{JOB}").page
    page.emulate_media(media="print")
    assert page.locator(".card").first.is_visible()
    assert not page.locator(".keys").is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.top')).position") == "static"
