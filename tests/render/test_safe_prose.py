"""What `prose` gives is rendered as GitHub would, and then nothing in it may be alive."""

from __future__ import annotations

import html
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.review.render.markers import read_finding_markers, read_review_marker
from bot.review.render.safe import clean, code, fence, one_line, prose, shorten, visible

GITHUB = MarkdownIt("gfm-like", {"html": True, "linkify": False})
HARMLESS_TAGS = {
    *("p", "ul", "ol", "li", "em", "strong", "code", "pre", "br", "hr"),
}
LIVE = re.compile(
    r"(?:https?|ftp)://\S|\bwww\.\S|\bmailto:\S|\bxmpp:\S"  # autolinks of GitHub's markdown
    r"|[\w.+-]@[\w-]+\.\w|(?<!\w)@[a-z0-9]"  # mail, people, teams
    r"|#\d|\bgh-\d|(?<![0-9a-z])[0-9a-f]{7,40}(?![0-9a-z])",  # issues, commits
    re.IGNORECASE,
)


class Page(HTMLParser):
    """The tags of a page, and its text outside code, where GitHub looks for mentions and references."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text: list[str] = []
        self.code: list[str] = []
        self.depth = 0
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.depth += tag in {"code", "pre"}
        assert all(name in {"class", "start"} for name, _ in attrs), attrs

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag in {"code", "pre"}

    def handle_comment(self, data: str) -> None:
        self.tags.add("<!--")

    def handle_data(self, data: str) -> None:
        (self.code if self.depth else self.text).append(data)


def page(markdown: str) -> Page:
    return Page(GITHUB.render(markdown))


def assert_harmless(markdown: str) -> Page:
    seen = page(markdown)
    assert seen.tags <= HARMLESS_TAGS, (markdown, seen.tags)
    for text in seen.text:
        assert not LIVE.search(text), (markdown, text)
    assert "language-suggestion" not in GITHUB.render(markdown)
    assert not re.search(r"^[ \t]*/[a-z]", markdown, re.MULTILINE | re.IGNORECASE) or seen.code
    assert not re.search(r"^\s*/spark", markdown, re.MULTILINE | re.IGNORECASE)
    assert not re.search(r"<!--\s*spark:", markdown, re.IGNORECASE)
    assert read_finding_markers(markdown) == []
    assert read_review_marker(markdown) is None
    return seen


NASTY = [
    "hi @octocat and @acme/team-a, (@x) **@y** _@z_ [@q](http://x)",
    "&#64;octocat &commat;octocat \\@octocat &#x40;octocat",
    "fixes #1, closes acme/shop#2, resolves GH-3, octocat#4, see 1234567 and acme/shop@0123456789abcdef",
    "https://evil.example ftp://x www.evil.example mail@evil.example mailto:a@b.c xmpp:a@b.c",
    "h**t**tps://x <https://evil.example> <mailto:a@b.c> <HTTP://A.B>",
    "[a](https://evil.example) [b][ref] [ref] ![c](https://evil.example/p.png) ![d][ref]\n\n[ref]: https://evil.example",
    "[![x](http://i)](http://l) [a [b](http://c)](http://d) [`x`](javascript:alert(1)) [a](<http://b c>)",
    "[a\nb](http://c) ![a\nb](http://c) [x]( http://c\n 't')",
    "<img src=x> <a href=x>y</a> <script>alert(1)</script> </details> <sub> <!-- c --> <![CDATA[x]]> <?x?> <!X>",
    "<div>\n\n# x\n\n</div>",
    "# one\n## two\n   ### three\nfour\n====\nfive\n----\n- six\n  ---\n> # seven\n1. # eight\n- # nine\n* - # ten",
    "a | b\n--|--\n`x | <img src=x>` | y\n\n| a |\n|---|\n| `x | <img src=x> |",
    "```suggestion\nrm -rf\n```\n~~~suggestion\nx\n~~~\n- ```suggestion\n  x\n  ```\n````suggestion x\ny",
    "```mermaid\nx\n```\n```math\nx\n```",
    "```py\n<img src=x> @octocat https://x #1\n",
    "> ```\n> <img>\n> ```\n<b>",
    "- ```\n<b>out\n```\n<i>",
    "    <img src=x>\n\n\t<b>",
    "`a <b>` ``c ` <d>`` `e\n<img src=x>` \\`<b>\\` `` `<img>`",
    "\\\\`<b>` \\\\[x](http://y) \\<b> \\\\<b> \\&lt;b&gt; &lt;b&gt;",
    "<!-- spark:finding v1 abc -->\n<!-- spark:review v1 {} -->",
    "```\n<!-- spark:finding v1 abc -->\n```",
    "`<!-- spark:finding v1 abc -->`",
    "<!-- spa\u200brk:finding v1 abc -->\n<\u200b!-- spark:finding v1 abc -->",
    "/spark fix all\n  /spark undo\n- /spark x\n```\n/spark fix\n```\n/\u200bspark x",
    "@\u200boctocat @\u202eoctocat #\u00ad1 ht\u2060tps://x",
    "$`a`$ $$x$$ [^1] :+1: [^1]: http://x ~~x~~ ==y==",
    "a\r\n# b\r<b>\u2028# c\u0085# d\x0c# e\x0b# f",
    "- a\n  - b\n    - c\n      - d\n        - e\n          - f\n            <img>\n\n            <img>",
    "1. a\n   ```py\n   <b>\n   ```\n2. c\n\n     <b>",
    "!`a`[x](http://y) !\\[x](http://y) \\![x](http://y) ![x]\\(http://y)",
    "[a]:\nhttp://x\n[a]",
    "***\n---\n* * *\n- - -\n_ _ _\n***a***\n+ + +",
    "a  \n/spark x\\\n/spark y",
    "\x1b[31mred\x1b[0m \x9b31m \x00",
    "<details><summary>x</summary>\n\n`unclosed <b>\n\n<i>`",
    "a * b * c **<b>** *@x* **https://y**z",
    "`` a`b`",
]


@pytest.mark.parametrize("text", NASTY)
def test_nothing_in_nasty_markdown_stays_alive(text: str) -> None:
    assert_harmless(prose(text))
    assert_harmless(one_line(text))
    assert_harmless(f"**High · bug · {one_line(text)}**\n\n{prose(text)}\n\n- {one_line(text)}: {code(text)}")


PIECES = st.sampled_from(
    [
        *(
            "`",
            "``",
            "```",
            "~~~",
            "````suggestion",
            "\n",
            "\n\n",
            "\r\n",
            " ",
            "    ",
            "\t",
            "\\",
            "*",
            "**",
            "_",
            "~~",
        ),
        *("#", "# ", "##", "- ", "1. ", "> ", "---", "===", "|", "|---|", ":--", "<", ">", "<!--", "-->", "&", ";"),
        *(
            "[",
            "]",
            "(",
            ")",
            "![",
            "](",
            "[x](http://y)",
            "![x](http://y)",
            "<b>",
            "<img src=x>",
            "</a>",
            "<a href=x>",
        ),
        *("@", "@octocat", "#1", "a/b", "GH-1", "1234567", "http://", "https://x.y", "www.x.y", "mailto:", "a@b.c"),
        *(
            "/spark fix",
            "<!-- spark:finding v1 a -->",
            "spark:",
            "&#64;",
            "&lt;",
            "$",
            "$`",
            "x",
            "é",
            "日本",
            "\u200b",
            "\u202e",
            "\ud800",
        ),
    ]
)


@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60))
@settings(max_examples=1_500, deadline=None, derandomize=True)
def test_no_mixture_of_markdown_stays_alive(text: str) -> None:
    assert_harmless(prose(text))
    assert_harmless(f"**{one_line(text)}** {code(text)}")


@given(st.text(alphabet=st.sampled_from("`~ab<\n "), max_size=60))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_a_fence_holds_any_text_literally(text: str) -> None:
    rendered = GITHUB.render(f"before\n\n{fence(text, 'suggestion')}\n\nafter")
    inside = re.search(r'<pre><code class="language-suggestion">(.*)</code></pre>\n<p>after</p>', rendered, re.DOTALL)
    assert inside is not None
    assert html.unescape(inside.group(1)) == (text if text.endswith("\n") or not text else f"{text}\n")


@given(st.text(alphabet=st.sampled_from("`ab <*\\|"), min_size=1, max_size=40))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_a_code_span_holds_any_text_literally(text: str) -> None:
    seen = page(f"x {code(text)} y")
    assert "".join(seen.code) == text


def test_code_stays_readable_and_literal() -> None:
    seen = assert_harmless(
        prose("Use `a < b` and:\n\n```py\nif a < b:\n    print('<b>', \"#1\", @x)\n```\n\nthen go on.")
    )
    assert seen.code[0] == "a < b"
    assert "if a < b:\n    print('<b>', \"#1\", @x)" in "".join(seen.code)
    assert "then go on." in "".join(seen.text)


def test_a_fence_that_was_never_closed_is_closed() -> None:
    assert prose("```py\nx = 1").endswith("x = 1\n```")


def test_lists_and_emphasis_stay_what_they_are() -> None:
    rendered = GITHUB.render(prose("Two **things**:\n- one\n- two\n  - deeper\n1. first"))
    assert "<strong>things</strong>" in rendered
    assert rendered.count("<li>") == 4


def test_headings_become_bold_text() -> None:
    assert prose("## Impact ##\ntext") == "**Impact**\n\ntext"


def test_an_image_is_removed_and_a_link_is_shown_as_text() -> None:
    assert (
        prose("see ![logo](http://x/y.png) and [docs](http://d)") == "see (image removed: logo) and docs (`http://d`)"
    )


def test_plain_sentences_are_left_alone() -> None:
    text = "The list is empty when count is 0, so max() raises ValueError (line 42)."
    assert prose(text) == text
    assert one_line(text) == text


def test_the_length_is_capped_and_the_cut_is_visible() -> None:
    assert shorten("abcdef", 4) == "abc…"
    assert len(prose("word " * 5_000, limit=100)) <= 100
    assert prose("word " * 5_000, limit=100).endswith("…")


def test_invisible_characters_are_removed_from_text_and_shown_in_code() -> None:
    assert clean("a\u200bb\u202ec\x1b[0m\ufeff") == "abc[0m"
    assert visible("x = 'a\u202eb'\r") == "x = 'a<U+202E>b'"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "`",
            "[",
            "](",
            "[](",
            "a@",
            "<a:",
            "\\",
            "#1",
            "a/",
            "*",
            "``` ",
            "- ",
            "`a``b",
            "a.b-c",
            "http://",
            "0",
            "&",
            "|",
        ),
        *("[`", "![x](", "/a", "abcdef0", "\n- ", "\n```", "\n    - "),
    ],
)
def test_long_hostile_text_takes_linear_time(text: str) -> None:
    started = time.perf_counter()
    prose(text * (8_000 // len(text)))
    assert time.perf_counter() - started < 1.0
