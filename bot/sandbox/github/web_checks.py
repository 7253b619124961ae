"""The page of a check run: how it stands or ended, its text, its buttons, its annotations beside the lines they are about.

A visitor is the repository's owner: pressing a button here sends the webhook that GitHub would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask, abort, redirect, render_template, request
from markupsafe import Markup
from werkzeug.wrappers import Response

from bot.sandbox.github import gestures
from bot.sandbox.github.gate import Site
from bot.sandbox.github.markdown import to_html
from bot.sandbox.github.records import CheckRun, Json, Pull

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo

_AROUND = 2
"""Lines shown above and below an annotated one."""
_MOST = 12
"""Lines shown of one annotation."""

WORDS = {
    "success": "successful",
    "failure": "failing",
    "neutral": "neutral",
    "cancelled": "cancelled",
    "skipped": "skipped",
    "timed_out": "timed out",
    "action_required": "action required",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """An annotation on the page."""

    place: str
    level: str
    title: str
    message: str
    lines: list[tuple[int, str, bool]]
    """Number and text of the lines around, and whether the annotation is about them."""


def install(app: Flask, site: Site) -> None:
    """Add the pages."""
    app.jinja_env.globals["verdict"] = verdict

    @app.get("/<owner>/<name>/runs/<int:number>")
    def check_run(owner: str, name: str, number: int) -> str:
        with site.world.lock:
            repo, run = _find(site, owner, name, number)
            notes: dict[str, list[Note]] = {}
            for entry in run.annotations:
                notes.setdefault(entry["path"], []).append(_note(repo, run, entry))
            return render_template(
                "check.html",
                repo=repo,
                run=run,
                pulls=_pulls(repo, run),
                summary=_markdown(run.summary),
                text=_markdown(run.text),
                notes=notes,
            )

    @app.post("/<owner>/<name>/runs/<int:number>/rerequest")
    def rerequest(owner: str, name: str, number: int) -> Response:
        repo, run = _find(site, owner, name, number)
        gestures.rerequest_run(repo, run)
        return redirect(f"/{repo.full_name}/runs/{run.id}", 303)

    @app.post("/<owner>/<name>/runs/<int:number>/press")
    def press(owner: str, name: str, number: int) -> Response:
        repo, run = _find(site, owner, name, number)
        try:
            gestures.press(repo, run, request.form.get("identifier", ""))
        except ValueError:
            abort(404)
        return redirect(f"/{repo.full_name}/runs/{run.id}", 303)


def verdict(run: CheckRun) -> str:
    """How a run stands, in a word or two."""
    return WORDS.get(run.conclusion or "", run.status.replace("_", " "))


def _find(site: Site, owner: str, name: str, number: int) -> tuple[Repo, CheckRun]:
    repo = site.world.repos.get(f"{owner}/{name}".lower())
    run = gestures.run_by_id(repo, number) if repo is not None else None
    if repo is None or run is None:
        abort(404)
    return repo, run


def _pulls(repo: Repo, run: CheckRun) -> list[Pull]:
    return [pull for pull in repo.pulls.values() if pull.head_sha == run.suite.head_sha]


def _markdown(text: str | None) -> Markup:
    return Markup(to_html(text or ""))  # noqa: S704 - to_html makes it safe


def _note(repo: Repo, run: CheckRun, entry: dict[str, Json]) -> Note:
    first, last = entry["start_line"], entry["end_line"]
    found = repo.git.read(f"{run.suite.head_sha}:{entry['path']}")
    text = found[2].decode("utf-8", "replace") if found is not None and found[1] == "blob" else ""
    lines = text.removesuffix("\n").split("\n") if text else []
    shown = range(max(1, first - _AROUND), min(len(lines), last + _AROUND, first + _MOST) + 1)
    return Note(
        place=f"line {first}" if first == last else f"lines {first} to {last}",
        level=entry["annotation_level"],
        title=entry.get("title") or entry["annotation_level"].capitalize(),
        message=entry["message"],
        lines=[(number, lines[number - 1], first <= number <= last) for number in shown],
    )
