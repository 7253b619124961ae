"""Untrusted text in a form that a prompt may carry, and how many tokens it costs.

Nothing is taken away from it: what would act on a terminal, a parser or a chat template is shown instead of acting.
"""

from __future__ import annotations

import re

from bot.diff.model import printable

BOUNDARY = "spark-data"
"""The word of our boundary lines; in data it is always broken up."""

BYTES_PER_TOKEN = 3.2
"""Code has 3 to 4 bytes a token with common vocabularies; the low end, so that estimates err towards too many."""

_HIDDEN = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""Control, line-breaking, zero-width, bidirectional and tag characters: what a reader would not see, a model does."""
_TEMPLATE = re.compile(r"<\|(?=[A-Za-z_][A-Za-z0-9_ ]{1,40}\|>)|(?<=\[)(?=/?INST\])|(?<=<)(?=/?s>)")
"""Tokens of common chat templates."""
_IMITATED = re.compile(r"(?<=spark)-(?=data)", re.IGNORECASE)


def visible(text: str) -> str:
    """One line of untrusted text: no control characters, nothing that imitates our boundary or a chat template."""
    if not text.isascii() or not text.isprintable():
        text = _HIDDEN.sub(_named, printable(text))
    if "<" in text or "[" in text:
        text = _TEMPLATE.sub(lambda match: f"{match.group()} ", text)
    return _IMITATED.sub("\u2010", text) if "-d" in text or "-D" in text else text


def visible_lines(text: str) -> str:
    """Several lines of untrusted prose, each behind `| `, so that none of them can begin like a line of ours."""
    return "\n".join(f"| {visible(line)}" for line in re.split(r"\r\n|\r|\n", text))


def tokens(text: str) -> int:
    """Estimated tokens of `text`, slightly too many; costs no tokenizer."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return int(size / BYTES_PER_TOKEN) + 1


def _named(match: re.Match[str]) -> str:
    return f"<U+{ord(match.group()):04X}>"
