"""What both kinds of pages are made of: the templates, and others' text as harmless HTML."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from bot.review.render.safe import clean


@cache
def templates() -> Environment:
    """Jinja with escaping on; an unknown name is an error."""
    return Environment(
        loader=PackageLoader("bot.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # They come with the program: to look each time whether a file has changed is a fifth of a small piece's time.
        auto_reload=False,
    )


@cache
def _markdown() -> MarkdownIt:
    alive = ["link", "image", "autolink", "html_inline", "html_block", "reference", "heading", "lheading"]
    return MarkdownIt("commonmark", {"html": False, "linkify": False}).disable(alive)


def inline(text: str) -> Markup:
    """Markdown of one line: code and emphasis, no links, images or HTML."""
    return Markup(_markdown().renderInline(" ".join(clean(text).split())))  # noqa: S704 - markdown-it escapes.


def sentence(text: str) -> Markup:
    """As `inline`, with a capital."""
    return inline(text[:1].upper() + text[1:])


def prose(text: str) -> Markup:
    """Markdown of a body, as `inline`."""
    return Markup(_markdown().render(clean(text)))  # noqa: S704 - as above.


STYLES: Final = ("review.css", "live.css")


@cache
def static_files() -> dict[str, tuple[bytes, str]]:
    """Name to content and media type of what pages load. There is nothing else under `/static/`."""
    style = "\n".join(templates().get_template(name).render() for name in STYLES)
    script = resources.files("bot.html").joinpath("static/live.js").read_text("utf-8")
    return {
        "spark.css": (style.encode(), "text/css; charset=utf-8"),
        "live.js": (script.encode(), "text/javascript; charset=utf-8"),
    }


@cache
def static_url(name: str) -> str:
    """Where a page loads it from; changes with its content, so that it may be kept for ever."""
    content, _ = static_files()[name]
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"
