"""Text of others made harmless before it is shown: models, analyzers, file names, the diff itself.

`prose` takes markdown that nobody vouches for and gives markdown that GitHub shows as text: no mention, link, image,
HTML, heading, reference to an issue or commit, command or marker of ours can come out of it. Code spans and fenced code
stay what they were. It refuses to be a markdown renderer: what it does not know it escapes.

GitHub looks for mentions and references in the text of the *rendered* page, so an escaped `&#64;name` is still a
mention there. What would become one is therefore put into a code span, where GitHub does not look.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache

from bot.review.render.characters import clean, hides, shorten, visible
from bot.review.render.redact import MASK, Redactor

__all__ = ["MASK", "Redactor", "clean", "code", "fence", "hides", "one_line", "prose", "shorten", "visible"]

_FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,})(.*)$")
_BULLET = re.compile(r"^([ \t]*)([-+*]|\d{1,9}[.)])[ \t]+(\S.*)$")
_HEADING = re.compile(r"^#{1,6}(?:[ \t]+|$)")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,20}")
_DRAWN = ("suggestion", "mermaid", "math", "geojson", "topojson", "stl")
"""Languages of a fence that GitHub turns into something else than code; `suggestion` into a button that commits."""

_MARKER = re.compile(r"<!--(\s*spark:)", re.IGNORECASE)
_COMMAND = re.compile(r"^(\s*)/(spark\b)", re.IGNORECASE)
_PUNCTUATION = frozenset(r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~""")
_BACKTICKS = re.compile(r"`+")
_LINK = re.compile(
    r"(!?)\[([^\[\]\\`\n]{0,300}|`[^`\n]{1,300}`)\]"
    r"\([ \t]*<?([^\s()<>]{0,2000})>?(?:[ \t]+(?:\"[^\"\n]{0,300}\"|'[^'\n]{0,300}'))?[ \t]*\)"
)
_AUTOLINK = re.compile(r"<([A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]{0,2000})>")
_LIVE = re.compile(
    r"(?:[a-z][a-z0-9+.-]{0,30}://|\bwww\.|\bmailto:|\bxmpp:)[^\s<>]*"  # what GitHub would make a link
    r"|[^\s@<>()\[\]{}\"',;]{0,64}@[\w./-]{1,100}"  # people, teams, mail addresses, owner/repo@commit
    r"|[\w./-]{0,200}#\d+|\bGH-\d+"  # issues and pull requests
    r"|(?<![0-9a-z])[0-9a-f]{7,64}(?![0-9a-z])",  # commits
    re.IGNORECASE,
)
_TRAILING = ".,;:!?)'\"]"
_ESCAPES = str.maketrans(
    {char: "\\" + char for char in "\\`*[]~|"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;"}
)
_MAY_LIVE = re.compile(r"[@#:]|[wW]{3}\.|-\d|[0-9a-fA-F]{7}")
"""Something of this is in all that `_LIVE` finds, and in few texts. Without IGNORECASE the search is five times faster."""
_PLAIN = re.compile(r"[^\\`!\[<*]+")
"""Text in which no markup begins."""
_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_LEAD = re.compile(r"^(\d{0,9})([-+=:#/.)])")
_STARS = re.compile(r"[*\s]+")


def code(text: str) -> str:
    """`text` as one markdown code span, whatever it contains."""
    text = _MARKER.sub(r"<! --\1", clean(text).replace("\n", " ")) or " "
    ticks = "`" * (_longest_run(text) + 1)
    blank = text.startswith(" ") and text.endswith(" ") and text.strip()
    pad = " " if text.startswith("`") or text.endswith("`") or blank else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def fence(text: str, language: str = "") -> str:
    """`text`, literally, as a fenced block whose fence is longer than any run of backticks inside. No final newline.

    A newline at the end of `text` ends its last line and makes no further one. GitHub wants at least one backtick more than the longest run in the text, three at the least.
    """
    ticks = "`" * max(3, _longest_run(text) + 1)
    inside = text if text.endswith("\n") or not text else f"{text}\n"
    return f"{ticks}{language}\n{inside}{ticks}"


def one_line(text: str, limit: int = 200) -> str:
    """Untrusted text as one harmless line of markdown, without emphasis of its own; for titles and reasons."""
    flat = " ".join(shorten(clean(text), limit).split())
    return _guard_start(_inline(flat, stars=False))


def prose(text: str, *, limit: int = 8_000) -> str:
    """Untrusted markdown, at most `limit` characters of it, as markdown that is harmless on GitHub."""
    return _blocks(shorten(clean(text), limit))


@lru_cache(2)
def _blocks(text: str) -> str:
    """Of the last ones, for a finding's text is asked for twice in a row: for its comment, and for its entry in the summary."""
    return "\n".join(_Blocks().render(text.split("\n"))).strip("\n")


def _longest_run(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)


class _Blocks:
    """Reads lines, writes lines. Fences go to the left margin, where nothing before them can swallow them."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.lists: list[tuple[int, int, int]] = []
        """Open list items: indent of the source, indent written, indent of the content written."""

    def render(self, lines: list[str]) -> list[str]:
        """All of it, once."""
        at = 0
        while at < len(lines):
            line = lines[at]
            bullet = _BULLET.match(line)
            opened = _FENCE.match(bullet.group(3) if bullet else line)
            at += 1
            if opened and not (opened.group(2)[0] == "`" and "`" in opened.group(3)):
                at = self._fenced(lines, at, opened)
            elif bullet:
                self._bullet(bullet)
            else:
                self._text(line)
        return self.out

    def _fenced(self, lines: list[str], at: int, opened: re.Match[str]) -> int:
        indent, ticks, info = len(opened.group(1)), opened.group(2), opened.group(3).strip().split(" ")[0]
        body: list[str] = []
        while at < len(lines):
            line = lines[at]
            at += 1
            bare = line.strip()
            if len(bare) >= len(ticks) and bare == ticks[0] * len(bare):
                break
            body.append(_literal(line[min(indent, len(line) - len(line.lstrip(" "))) :]))
        language = info if _LANGUAGE.fullmatch(info) and not info.lower().startswith(_DRAWN) else ""
        self.lists.clear()
        self._gap()
        self.out += [*fence("\n".join(body), language).split("\n"), ""]
        return at

    def _bullet(self, bullet: re.Match[str]) -> None:
        indent, mark, content = len(bullet.group(1)), bullet.group(2), bullet.group(3)
        while self.lists and indent < self.lists[-1][0]:
            self.lists.pop()
        if not self.lists:
            self._gap()
            start = 0
        elif indent > self.lists[-1][0] + 1 and len(self.lists) < 4:
            start = self.lists[-1][2]
        else:
            start = self.lists.pop()[1]
        mark = mark if mark[0].isdigit() else "-"
        self.lists.append((indent, start, start + len(mark) + 1))
        self.out.append(f"{' ' * start}{mark} {_paragraph(content)}")

    def _text(self, line: str) -> None:
        content = line.strip()
        if not content:
            self.out.append("")
            return
        after_blank = not self.out or not self.out[-1]
        if after_blank and not line.startswith("  "):
            self.lists.clear()
        indent = self.lists[-1][2] if self.lists else 0
        heading = _HEADING.match(content)
        if heading:
            title = content[heading.end() :].rstrip("#").strip()
            self.lists.clear()
            self._gap()
            self.out += [f"**{_guard_start(_inline(title, stars=False))}**", ""] if title else []
            return
        self.out.append(" " * indent + _paragraph(content))

    def _gap(self) -> None:
        if self.out and self.out[-1]:
            self.out.append("")


def _literal(line: str) -> str:
    """A line of code: literal, but for our own marker and command, which must not be readable by us."""
    return _COMMAND.sub(r"\1/ \2", _MARKER.sub(r"<! --\1", line))


def _paragraph(content: str) -> str:
    return _guard_start(_inline(content, stars=not _STARS.fullmatch(content)))


def _guard_start(text: str) -> str:
    """No list, heading, rule, table or command begins here: the first character is taken literally."""
    return _LEAD.sub(r"\1\\\2", text, count=1)


def _inline(text: str, *, stars: bool) -> str:
    """One line of markdown. `stars` says whether its `*` may be emphasis."""
    out = _Inline()
    runs: dict[int, list[int]] = {}
    for run in _BACKTICKS.finditer(text):
        runs.setdefault(len(run.group()), []).append(run.start())
    at = 0
    while at < len(text):
        char = text[at]
        if plain := _PLAIN.match(text, at):
            out.literal(plain.group())
            at = plain.end()
        elif char == "\\" and text[at + 1 : at + 2] in _PUNCTUATION and at + 1 < len(text):
            out.literal(text[at + 1])
            at += 2
        elif char == "`":
            at = _code_span(text, at, runs, out)
        elif char in "![" and (link := _LINK.match(text, at)):
            _link(link, out)
            at = link.end()
        elif char == "<" and (link := _AUTOLINK.match(text, at)):
            out.code(link.group(1))
            at = link.end()
        elif char == "*" and stars:
            out.emphasis()
            at += 1
        else:
            out.literal(char)
            at += 1
    return out.done()


def _code_span(text: str, at: int, runs: dict[int, list[int]], out: _Inline) -> int:
    """A code span as CommonMark finds it: up to the next run of exactly as many backticks. Returns where it ends."""
    length = len(_BACKTICKS.match(text, at).group())  # type: ignore[union-attr]  # There is one at `at`.
    closers = runs.get(length, [])
    found = bisect_left(closers, at + length)
    if found == len(closers):
        out.literal("`" * length)
        return at + length
    inside = text[at + length : closers[found]]
    if inside.startswith(" ") and inside.endswith(" ") and inside.strip():
        inside = inside[1:-1]
    out.code(inside)
    return closers[found] + length


def _link(link: re.Match[str], out: _Inline) -> None:
    image, label, target = link.groups()
    if image:
        out.literal(f"(image removed: {label})" if label else "(image removed)")
        return
    if label.startswith("`"):
        out.code(label[1:-1])
    else:
        out.literal(label)
    if target and target != label:
        out.literal(" (")
        out.code(target)
        out.literal(")")


class _Inline:
    """Pieces of one line of output; literal text is collected so that what GitHub would see as one word is one."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.pending: list[str] = []

    def literal(self, text: str) -> None:
        """Text that must be shown as it is."""
        self.pending.append(text)

    def code(self, text: str) -> None:
        """A code span."""
        self._flush()
        self._push(code(text))

    def emphasis(self) -> None:
        """A `*` that may be markup."""
        self._flush()
        self.pieces.append("*")

    def done(self) -> str:
        """The line."""
        self._flush()
        return "".join(self.pieces)

    def _push(self, span: str) -> None:
        if self.pieces and self.pieces[-1].endswith("`"):
            self.pieces.append(" ")  # Two spans side by side would be read as one longer run of backticks.
        self.pieces.append(span)

    def _flush(self) -> None:
        self._words("".join(self.pending))
        self.pending.clear()

    def _words(self, text: str) -> None:
        """Literal text, with what GitHub would bring to life in code spans.

        Beside a code span a new word begins or ends, so what is left on both sides is looked at anew.
        """
        while _MAY_LIVE.search(text) and (match := _LIVE.search(text)):
            live = match.group().rstrip(_TRAILING) or match.group()
            self._words(text[: match.start()])
            self._push(code(live))
            text = text[match.start() + len(live) :]
        self._plain(text)

    def _plain(self, text: str) -> None:
        if text:
            self.pieces.append(_UNDERSCORE.sub(r"\\_", text.translate(_ESCAPES)))
