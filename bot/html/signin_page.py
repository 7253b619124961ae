"""The sign-in page as HTML: one form that works without a script, in the look of the set-up's pages.

Every text is escaped by Jinja. The page asks for nothing outside itself. Decides nothing: `bot.server.access` does.
"""

from __future__ import annotations

from bot.html.form_pages import form_style
from bot.html.pieces import templates


def signin_page(*, onward: str, problem: str = "") -> str:
    """The form. `onward` is the path to go on to; `problem` is what was wrong with the last try."""
    return _page(is_closed=False, onward=onward, problem=problem)


def closed_page() -> str:
    """There is no page token, so nobody can sign in: what to do about it."""
    return _page(is_closed=True, onward="/", problem="")


def _page(**values: object) -> str:
    return templates().get_template("signin.html").render(style=form_style(), step=0, **values)
