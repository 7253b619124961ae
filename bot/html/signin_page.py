"""The sign-in page as HTML: one form that works without a script, in the look of the set-up's pages.

Every text is escaped by Jinja. The page asks for nothing outside itself; `style_policy` is the source of its one stylesheet
for a Content-Security-Policy. Decides nothing: `bot.server.access` does.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("bot.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> Markup:
    templates = _templates()
    # The stylesheet of the set-up to the letter: its policy stands over `closed_page` when /setup is refused.
    return Markup("\n".join(templates.get_template(name).render() for name in ("review.css", "setup.css")))  # noqa: S704


@cache
def style_policy() -> str:
    """The `style-src` that allows this page's stylesheet and no other."""
    digest = hashlib.sha256(_style().encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def signin_page(*, onward: str, problem: str = "") -> str:
    """The form. `onward` is the path to go on to; `problem` is what was wrong with the last try."""
    return _page(is_closed=False, onward=onward, problem=problem)


def closed_page() -> str:
    """There is no page token, so nobody can sign in: what to do about it."""
    return _page(is_closed=True, onward="/", problem="")


def _page(**values: object) -> str:
    return _templates().get_template("signin.html").render(style=_style(), step=0, **values)
