"""Markdown of comments as HTML for the web view. Everything in it is untrusted.

Raw HTML is escaped, but for a few harmless tags with no attribute but `open`; HTML comments are hidden, as GitHub hides them; images
become links, so that nothing is fetched; a suggestion block is shown as the small diff it stands for.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from functools import cache
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(
    r"&lt;(/?)(details|summary|sub|sup|br|kbd|b|i|em|strong|code|ins|del)(?:\s+(open))?\s*(/?)&gt;", re.IGNORECASE
)

Environment = MutableMapping[str, Any]


class _Renderer(RendererHTML):
    def html_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Environment) -> str:
        """A block of raw HTML."""
        del options, env
        return harmless(tokens[idx].content)

    def html_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Environment) -> str:
        """Raw HTML in a line."""
        del options, env
        return harmless(tokens[idx].content)

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Environment) -> str:
        """An image, as a link: nothing is fetched."""
        del options, env
        token = tokens[idx]
        return (
            f'<a rel="nofollow noopener" href="{escape(str(token.attrGet("src") or ""))}">{escape(token.content)}</a>'
        )

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Environment) -> str:
        """The start of a link."""
        tokens[idx].attrSet("rel", "nofollow noopener")
        return self.renderToken(tokens, idx, options, env)

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Environment) -> str:
        """A fenced block; a suggestion becomes a diff."""
        del options
        token = tokens[idx]
        word = token.info.strip().split(" ")[0]
        if word == "suggestion":
            return _suggestion(env.get("old"), token.content)
        return f'<pre class="code"><code data-language="{escape(word)}">{escape(token.content)}</code></pre>\n'


def harmless(html: str) -> str:
    """Raw HTML without its comments, escaped but for a few tags; of attributes only `open` stays."""
    return _TAG.sub(
        lambda tag: f"<{tag[1]}{tag[2]}{' open' if tag[3] else ''}{tag[4]}>",
        escape(_COMMENT.sub("", html), quote=False),
    )


def _suggestion(old: list[str] | None, content: str) -> str:
    new = content.removesuffix("\n").split("\n") if content else []
    rows = [("-", line) for line in old or []] + [("+", line) for line in new]
    shown = "".join(
        f'<tr class="{"removed" if mark == "-" else "added"}"><td class="mark">{mark}</td>'
        f"<td class=text>{escape(line) or ' '}</td></tr>"
        for mark, line in rows
    )
    head = '<div class="suggestion-head">Suggested change</div>'
    return f'<div class="suggestion">{head}<table class="lines">{shown}</table></div>\n'


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True, "breaks": True}, renderer_cls=_Renderer).enable(
        ["table", "strikethrough"]
    )


def to_html(text: str, *, old: list[str] | None = None) -> str:
    """`text` as safe HTML. `old` are the lines that a suggestion in it would replace."""
    html = _parser().render(text, {"old": old})
    assert isinstance(html, str)
    return html
