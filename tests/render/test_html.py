from __future__ import annotations

import time
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from markupsafe import Markup

from bot.diff.parse import read_patch
from bot.html.highlight import colour, lexer_for
from bot.html.report import review_html
from bot.review.model import Change, Finding, Review, Usage
from bot.review.scope import Coverage, Skip, SkipReason

MakeReview = Callable[..., Review]
VOID = {"meta", "link", "br", "hr", "img", "col", "input"}


class Page(HTMLParser):
    """Reads a page strictly: every tag closed in order, ids unique, links and tags kept."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.tags.append((tag, known))
        if "id" in known:
            self.ids.append(known["id"] or "")
        if tag == "a":
            self.links.append(known["href"] or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def test_the_page_is_well_formed_and_asks_for_nothing(a_review: MakeReview) -> None:
    source = review_html(a_review())
    page = Page(source)
    assert not {"script", "img", "link", "iframe", "object", "form", "base"} & {tag for tag, _ in page.tags}
    assert not any(name in {"src", "srcset"} or name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert all(link.startswith("#") for link in page.links)
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    style = source[source.index("<style>") : source.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_every_link_leads_somewhere_and_every_id_is_one(a_review: MakeReview) -> None:
    page = Page(review_html(a_review()))
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert [name for name in page.ids if name.startswith("finding-")]


def test_a_finding_stands_right_under_its_last_line(a_review: MakeReview) -> None:
    source = review_html(a_review())
    row = source.index("self</span>.db.execute(query)</td></tr>")
    rest = source[row:]
    assert rest[: rest.index("<article")].count("<tr") == 1
    assert "SQL is built from a name that users choose" in rest[:800]


def test_the_page_says_everything(a_review: MakeReview) -> None:
    text = Page(review_html(a_review())).text
    for part in (
        "Discounts for the cart",
        "acme/shop #7",
        "1 critical and 2 high findings; the gate is at high",
        "6 new findings: 1 critical, 2 high, 2 medium, 1 low, 1 still open: 1 high",
        "No test covers a discount of 1",
        "3 of 4 hunks reviewed; 3 files skipped; 1 file not reviewed in full.",
        "src/shop/cart.py, lines 42-46 : the stream was cut",
        "not reviewed: the stream was cut",
        "huge.sql (1,200,000 lines)",
        "1 refuted by the check",
        "proven: applied and parsed · votes 3/3",
        "3 calls · 12,345 tokens in",
    ):
        assert part.replace(" :", ":") in text.replace(" :", ":"), part


def test_untrusted_text_is_text(a_review: MakeReview, a_finding: Callable[..., Finding]) -> None:
    hostile = "</style></td><script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1)) ![y](http://z) \x1b[0m"
    finding = a_finding(
        title=hostile, body=f"# {hostile}\n\n<div>{hostile}", suggestion=hostile, proven=True, note=hostile
    )
    review = a_review(findings=(finding,), reason=hostile, notices=(hostile,), model=hostile)
    review = a_review(
        findings=(finding,),
        reason=hostile,
        notices=(hostile,),
        model=hostile,
        change=Change(patch=review.change.patch, base=hostile, head=hostile, title=hostile),
        coverage=Coverage(
            hunks=1, reviewed=1, holes=(), skipped=(Skip(path=hostile, reason=SkipReason.LOCK, detail=hostile),)
        ),
    )
    page = Page(review_html(review))
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    assert all(link.startswith("#") for link in page.links)
    assert page.count("h1") == 1
    assert "<script>alert(1)</script>" in page.text
    assert "\x1b" not in page.text


def test_it_can_be_read_by_structure(a_review: MakeReview) -> None:
    page = Page(review_html(a_review()))
    for tag in ("header", "main", "nav", "footer", "h1"):
        assert page.count(tag) >= 1
    levels = [int(tag[1]) for tag, _ in page.tags if tag in {"h1", "h2", "h3", "h4"}]
    assert levels[0] == 1
    assert page.count("caption") == page.count("table")
    assert page.links[0] == "#findings"
    assert next(attrs for tag, attrs in page.tags if tag == "html")["lang"] == "en"


def test_a_secret_in_the_diff_is_masked_in_the_page(a_review: MakeReview) -> None:
    secret = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    patch = read_patch(f"diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x\n+t = '{secret}'\n".encode())
    nothing = Coverage(hunks=1, reviewed=1, holes=(), skipped=())
    source = review_html(
        a_review(change=Change(patch=patch, base="", head=""), findings=(), misplaced=(), coverage=nothing)
    )
    assert secret[4:] not in source
    assert "ghp_•••" in source


def test_a_long_file_without_findings_is_folded(empty_review: MakeReview) -> None:
    def added(path: str, number: int) -> str:
        lines = "".join(f"+x = {at}\n" for at in range(number))
        return f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{number} @@\n{lines}"

    patch = read_patch((added("long.py", 500) + added("short.py", 5)).encode())
    page = Page(review_html(empty_review(change=Change(patch=patch, base="", head=""))))
    files = {attrs["id"]: "open" in attrs for tag, attrs in page.tags if attrs.get("class") == "file"}
    assert files == {"file-0": False, "file-1": True}
    patch = read_patch("".join(added(f"{at}.py", 300) for at in range(20)).encode())
    page = Page(review_html(empty_review(change=Change(patch=patch, base="", head=""))))
    assert not any("open" in attrs for tag, attrs in page.tags if attrs.get("class") == "file")


def test_no_findings_analyzers_alone_and_an_empty_change_make_a_page(empty_review: MakeReview) -> None:
    assert "No findings" in Page(review_html(empty_review())).text
    alone = Page(review_html(empty_review(model=None, usage=Usage(), notices=("No model: no key.",)))).text
    assert "Reviewed without a model" in alone
    assert "No model: no key." in alone
    nothing = empty_review(
        change=Change(patch=read_patch(b""), base="", head=""),
        coverage=Coverage(hunks=0, reviewed=0, holes=(), skipped=()),
    )
    assert "The change has no lines to review." in Page(review_html(nothing)).text


def test_a_large_diff_takes_seconds_not_minutes(empty_review: MakeReview) -> None:
    lines = "".join(f"+    value_{at} = compute({at}, 'text')  # note\n" for at in range(20_000))
    patch = read_patch(
        f"diff --git a/a.py b/a.py\nnew file mode 100644\n--- /dev/null\n+++ b/a.py\n@@ -0,0 +1,20000 @@\n{lines}".encode()
    )
    started = time.perf_counter()
    source = review_html(empty_review(change=Change(patch=patch, base="", head="")))
    assert time.perf_counter() - started < 20
    assert "value_19999" in source


@pytest.mark.parametrize(
    "lines",
    [
        ["def f():", "    '''a", "    b'''", "    return 1  # <x>"],
        ["", "", "x"],
        ["\ta = 1", ""],
        ["'''", "never closed"],
        [],
    ],
)
def test_colouring_changes_no_text_and_no_number_of_lines(lines: list[str]) -> None:
    coloured = colour(lexer_for("a.py"), lines)
    assert len(coloured) == len(lines)
    for html, text in zip(coloured, lines, strict=True):
        plain = Markup(html)
        assert "".join(Page(f"<p>{plain}</p>").words) == text


def test_a_name_nobody_knows_is_shown_plain() -> None:
    assert lexer_for("dir/file.unknown-kind") is None
    assert colour(None, ["<b>"]) == ["&lt;b&gt;"]
