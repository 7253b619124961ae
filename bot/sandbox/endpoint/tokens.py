"""The stand-in's tokens: text cut into pieces of about four characters, as a model's tokenizer does on average.

It is no real tokenizer. Its rule: up to six letters or digits with the space before them, or up to three other
characters with the space before them, or a run of white space. The pieces put together are the text.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass, field

_PIECE = re.compile(r" ?\w{1,6}| ?[^\w\s]{1,3}|\s{1,16}?(?= \S)|\s{1,16}")
_CACHE_MINIMUM = 1024
_CACHE_STEP = 128
# The real caches begin at 1,024 tokens and grow in steps of 128.


def pieces(text: str) -> list[str]:
    """`text` in tokens; `"".join` of them is `text`."""
    return _PIECE.findall(text)


def count(text: str) -> int:
    """Number of tokens in `text`."""
    return len(_PIECE.findall(text))


@dataclass(slots=True)
class PrefixCache:
    """Which prompt beginnings were seen lately, so that usage can tell cached tokens. Not safe over threads."""

    size: int = 20_000
    _seen: OrderedDict[bytes, None] = field(default_factory=OrderedDict)

    def look(self, prompt: str) -> tuple[int, int]:
        """Count the prompt's tokens and those of its longest beginning seen before, then remember its beginnings."""
        parts = pieces(prompt)
        cached, chain = 0, hashlib.blake2b(digest_size=16)
        known = True
        for end in range(_CACHE_STEP, len(parts) + 1, _CACHE_STEP):
            chain.update("".join(parts[end - _CACHE_STEP : end]).encode("utf-8", "surrogatepass"))
            if end < _CACHE_MINIMUM:
                continue
            key = chain.digest()
            known = known and key in self._seen
            if known:
                cached = end
            self._seen[key] = None
            self._seen.move_to_end(key)
        while len(self._seen) > self.size:
            self._seen.popitem(last=False)
        return len(parts), cached
