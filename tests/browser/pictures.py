"""Makes live-review.png, reviews.png, pull-request.png and thread.png in docs/images: `python tests/browser/pictures.py`.

A server process on the stand-ins, as in `spark demo`; several pulls, one of them watched while it is reviewed, one whose
author talks back. Needs Debian's chromium. `--all FOLDER` also writes every other state and size there, to be looked at;
`--talk` makes the last two alone.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, sync_playwright

ROOT: Final = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from bot.cli.demo_stage import Server, Stage, server, stage  # noqa: E402
from bot.sandbox import example  # noqa: E402
from bot.sandbox.github import talk  # noqa: E402
from bot.sandbox.github.threads import pull_threads  # noqa: E402

IMAGES: Final = ROOT / "docs" / "images"
MOST_BYTES: Final = 250_000
TITLES: Final = ("Search by author", "Fines in cents", "A nightly sync", "Loans can be renewed")
_GATE: Final = "gate:\n  fail_on: high\n"
_BROKEN: Final = "review:\n  min_severity: loud\n"


def branch(here: Stage, name: str, base: str, config: str | None) -> None:
    """A branch like the example's, and the base that it is to go into."""
    repo, files = here.repo, {path: text.encode() for path, text in example.AFTER.items()}
    if base != "main":
        repo.branch(base)
    if config is not None:
        repo.commit(base, {".github/spark.yml": config.encode()}, "Settings of the reviews", example.AUTHOR)
    repo.branch(name, repo.git.resolve(base))
    repo.commit(name, files, example.TITLE, example.AUTHOR)


def job_of(here: Stage) -> str:
    """The job of the newest delivery."""
    _, told = here.answer(20)
    return str(told["job"])


def over(page: Any, url: str) -> None:
    """Wait for the end of a review."""
    page.goto(url)
    page.wait_for_selector("main[data-over=yes]", timeout=90_000)


def until(what: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + 60
    while not what():
        if time.monotonic() > deadline:
            raise SystemExit("a command was not carried out")
        time.sleep(0.02)


def picture(page: Any, path: Path, *, whole: bool = False) -> None:
    """Keep it, small enough. `whole`: all of the page, not what the window shows."""
    page.screenshot(path=str(path), full_page=whole)
    size = path.stat().st_size
    sys.stdout.write(f"{path}: {size:,} bytes\n")
    if path.parent == IMAGES and size > MOST_BYTES:
        raise SystemExit(f"{path} has more than {MOST_BYTES:,} bytes")


def take(here: Stage, there: Server, browser: Browser, rest: Path | None) -> None:
    """All pictures."""
    # Calm, so that no colour of something's coming is in the picture.
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    if rest is not None:
        page.goto(there.url)
        picture(page, rest / "empty.png")
    jobs = {}
    for number, (title, base, config) in enumerate(
        zip(TITLES, ("main", "gated", "broken", "main"), (None, _GATE, _BROKEN, None), strict=True)
    ):
        branch(here, f"work-{number}", base, config)
        pull = here.repo.open_pull(title=title, body="", head=f"work-{number}", base=base, author=example.AUTHOR)
        jobs[title] = job_of(here)
        if number == 3:
            # A push while it is reviewed.
            page.goto(f"{there.url}/reviews/{jobs[title]}")
            page.wait_for_selector(".card", timeout=60_000)
            here.repo.commit(pull.head_ref, {"NEWS.md": b"# News\n"}, "News", example.AUTHOR)
            jobs["newer"] = job_of(here)
        over(page, f"{there.url}/reviews/{jobs[title]}")
        if rest is not None:
            picture(page, rest / f"review-{number}.png")
    over(page, f"{there.url}/reviews/{jobs['newer']}")
    here.open_pull()
    watched = f"{there.url}/reviews/{job_of(here)}"
    page.set_viewport_size({"width": 1280, "height": 1380})
    page.goto(watched)
    page.wait_for_function("() => document.querySelectorAll('.card').length >= 3", timeout=60_000)
    listed = browser.new_page(viewport={"width": 1280, "height": 860})
    listed.goto(there.url)
    picture(listed, IMAGES / "reviews.png")
    # One that stands high enough on the page to be seen.
    page.wait_for_selector("details.file:first-of-type tr.cards .card", timeout=60_000)
    page.evaluate("scrollTo(0, 0)")
    picture(page, IMAGES / "live-review.png")
    if rest is None:
        return
    for scheme, width in (("dark", 1280), ("light", 400), ("dark", 400)):
        for name, url in (("review", watched), ("list", there.url)):
            other = browser.new_page(viewport={"width": width, "height": 1000}, color_scheme=scheme)  # type: ignore[arg-type]
            other.goto(url)
            picture(other, rest / f"{name}-{scheme}-{width}.png")
            other.close()
    over(page, watched)
    picture(page, rest / "done.png")


def take_talk(here: Stage, there: Server, browser: Browser) -> None:
    """A file with its comments; then the life of one thread: found, asked about, mended by a commit, resolved."""
    page = browser.new_page(viewport={"width": 1120, "height": 1385}, reduced_motion="reduce")
    pull = here.open_pull()
    over(page, f"{there.url}/reviews/{job_of(here)}")
    page.goto(f"{here.page}/pull/1/files")
    page.evaluate("""() => {
        const files = [...document.querySelectorAll('.file, .box')].filter(each => each.querySelector('table'));
        for (const each of files) if (!each.textContent.includes('shelf/store.py')) each.remove();
    }""")
    picture(page, IMAGES / "pull-request.png", whole=True)
    thread = next(each for each in pull_threads(here.repo, pull) if "SQL" in each.comments[0].body)

    def said(count: int) -> bool:
        return len(thread.comments) >= count

    talk.reply(here.repo, thread, "/spark fix", by=example.AUTHOR)
    until(lambda: said(3))
    talk.reply(here.repo, thread, "/spark fix --commit", by=example.AUTHOR)
    until(lambda: said(6) and thread.resolved_by is not None)
    page.goto(f"{here.page}/pull/1")
    # By GitHub's own names: this Chromium has no font of emoji.
    page.evaluate("""() => {
        for (const each of document.querySelectorAll('.reactions .badge'))
            each.textContent = each.textContent.replace('👀', 'eyes').replace('🚀', 'rocket');
    }""")
    box = page.locator(".thread", has_text="SQL is put together").first
    path = IMAGES / "thread.png"
    box.screenshot(path=str(path))
    sys.stdout.write(f"{path}: {path.stat().st_size:,} bytes\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER")
    parser.add_argument("--talk", action="store_true")
    options = parser.parse_args()
    rest = options.all
    if rest is not None:
        rest.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("Debian's chromium is not installed")
    began = time.monotonic()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        with stage(tps=1000, ttft=0.15) as here, server(here.env("standard")) as there:
            there.wait()
            here.deliver_to(there.url)
            take_talk(here, there, browser)
        if not options.talk:
            with stage(tps=90, ttft=0.2) as here, server(here.env("standard")) as there:
                there.wait()
                here.deliver_to(there.url)
                take(here, there, browser, rest)
        browser.close()
    sys.stdout.write(f"{time.monotonic() - began:.0f} s\n")


if __name__ == "__main__":
    main()
