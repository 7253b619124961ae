"""Identity of a finding by content, so that it keeps its thread when lines move and when a model words it anew.

Made of the path, the side, the kind of the problem, the anchored text without its white space, and how many times that
text stood in the file's diff before. What that costs:

- Neither line numbers nor the model's title or body are in it: a push above the place or another wording changes nothing.
- An edit of the anchored text is a new identity. That is meant: the old finding was about the old text.
- A model calls the same thing `bug` today and `reliability` tomorrow, so categories count by family.
- Two findings of one family on exactly the same text are one identity; `merge.combine` keeps the words of both.
- The count tells twins apart (`return None` twice in a file). Adding a further twin above changes the later one's
  identity; text that is unique in its file, which is nearly all, is never touched by this.
"""

from __future__ import annotations

import hashlib

from bot.diff.model import Anchor, FilePatch
from bot.review.model import Category, Fingerprint

_FAMILIES = {
    Category.BUG: "behaviour",
    Category.RELIABILITY: "behaviour",
    Category.SECURITY: "security",
    Category.PERFORMANCE: "performance",
    Category.MAINTAINABILITY: "care",
    Category.TESTS: "care",
    Category.DOCS: "care",
    Category.STYLE: "care",
}


def family(category: Category) -> str:
    """The coarse kind of a category, which a model repeats more reliably than the category itself."""
    return _FAMILIES[category]


def fingerprint(anchor: Anchor, category: Category, *, rule: str = "", file: FilePatch | None = None) -> Fingerprint:
    """16 hex digits. `rule` is an analyzer's rule id and stands for the category then.

    `file` is the file of the patch that `anchor` lies in; without it, equal text at two places has one identity.
    """
    text = tuple(normal(line) for line in anchor.text)
    earlier = 0 if file is None else _earlier(anchor, text, file)
    parts = ("1", anchor.path, anchor.side.value, f"rule {rule}" if rule else family(category), *text, str(earlier))
    return Fingerprint(hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16])


def normal(line: str) -> str:
    """A line with each run of white space as one space, and none at its ends."""
    return " ".join(line.split())


def _earlier(anchor: Anchor, text: tuple[str, ...], file: FilePatch) -> int:
    """How often `text` begins on a line of the file's diff before the anchor, on its side."""
    if not text:
        return 0
    count = 0
    # Not line by line: a hunk can have 40,000, and a file as many findings.
    for key, lines, index in file.standing(anchor.side, text[0]):
        if key.hunk > anchor.hunk.hunk or lines[index].number >= anchor.start_line:
            break
        count += text == tuple(normal(other.text) for other in lines[index : index + len(text)])
    return count
