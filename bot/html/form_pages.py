"""What the pages with forms have in common: one stylesheet inside the page, and the policy that allows it alone."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from markupsafe import Markup

from bot.html.pieces import templates


@cache
def form_style() -> Markup:
    """The stylesheet of the set-up and of signing in, which have no other file to load."""
    # Our own two files, so nothing needs escaping; Jinja would turn the quotes of a stylesheet into entities.
    return Markup("\n".join(templates().get_template(name).render() for name in ("review.css", "setup.css")))  # noqa: S704


@cache
def style_policy() -> str:
    """The `style-src` that allows these pages' stylesheet and no other."""
    digest = hashlib.sha256(form_style().encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
