"""The pages of the App's set-up as HTML: forms that work without a script, made of plain values.

Every text is escaped by Jinja. The pages ask for nothing outside themselves. Decides nothing: what is shown was decided by
`bot.server.setup`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from bot.html.form_pages import form_style
from bot.html.pieces import templates

MOST_NAME: Final = 34
"""Characters of an App's name (GitHub docs: registering a GitHub App)."""
_FIELDS: Final = ("name", "public_url", "organisation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The fields of the first page as they were filled in."""

    name: str
    public_url: str
    is_organisation: bool = False
    organisation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the App asks GitHub for."""

    permissions: Sequence[tuple[str, str, str]]
    """Name, level, reason."""
    events: Sequence[tuple[str, str]]
    """Name, reason."""


def start_page(
    *,
    state: str,
    form: Form,
    problems: Mapping[str, str],
    asked: Asked,
    file: str,
    github_url: str,
    notices: Sequence[str] = (),
    blocked: str = "",
) -> str:
    """Who owns the App, its name, its address; and what it asks for. `problems` by field; `blocked` hides the form."""
    return _page(
        "setup_start",
        step=1,
        state=state,
        form=form,
        problems=dict.fromkeys(_FIELDS, "") | dict(problems),
        wrong=len(problems),
        permissions=asked.permissions,
        events=asked.events,
        file=file,
        github_host=urlsplit(github_url).netloc,
        most_name=MOST_NAME,
        notices=notices,
        blocked=blocked,
    )


def confirm_page(
    *,
    action: str,
    manifest: Mapping[str, Any],
    owner: str,
    webhook: str,
    file: str,
    notices: Sequence[str] = (),
) -> str:
    """Everything once more, and the button that sends the manifest to GitHub at `action`."""
    return _page(
        "setup_confirm",
        step=2,
        action=action,
        manifest=json.dumps(manifest),
        shown=json.dumps(manifest, indent=2, ensure_ascii=False),
        name=manifest["name"],
        owner=owner,
        webhook=webhook,
        file=file,
        github_host=urlsplit(action).netloc,
        notices=notices,
    )


def written_page(*, file: str, backup: str, page: str, restart: str, webhook: str, notices: Sequence[str] = ()) -> str:
    """The App is there and its keys are in the file: what comes next. `page` is the App's page on GitHub."""
    page = _link(page)
    install = f"{page}/installations/new" if page else ""
    return _page(
        "setup_written",
        step=3,
        file=file,
        backup=backup,
        page=page,
        install=install,
        restart=restart,
        webhook=webhook,
        notices=notices,
    )


def unwritten_page(*, state: str, name: str, page: str, problem: str, file: str, lines: str) -> str:
    """The App is there but its keys could not be saved: how they are not lost. `lines` are the settings themselves."""
    return _page(
        "setup_unwritten",
        step=3,
        state=state,
        name=name,
        page=_link(page),
        problem=problem,
        file=file,
        lines=lines,
    )


def problem_page(*, title: str, problem: str, remedies: Sequence[str] = (), again: str = "") -> str:
    """What went wrong, in words; `again` is an address at which the same can be tried once more."""
    return _page("setup_problem", step=0, title=title, problem=problem, remedies=remedies, again=again)


def _page(template: str, /, **values: object) -> str:
    return templates().get_template(f"{template}.html").render(style=form_style(), **values)


def _link(url: str) -> str:
    """An address that may be a link: a page that GitHub names is GitHub's word, so a `javascript:` is possible."""
    return url.rstrip("/") if url.startswith(("https://", "http://")) else ""
