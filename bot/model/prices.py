"""What a call costs: prices per million tokens, from the settings or from a short list with sources.

A price that is not known stays unknown; nothing here guesses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from bot.errors import ConfigError

SETTING: Final = "SPARK_PRICES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens. `cached` is what input costs that the endpoint had in its cache."""

    input: float
    output: float
    cached: float

    def usd(self, *, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """Dollars for these tokens. `cached_tokens` are part of `input_tokens`; more than that counts as all."""
        cached = min(cached_tokens, input_tokens)
        fresh = input_tokens - cached
        return (fresh * self.input + cached * self.cached + output_tokens * self.output) / 1_000_000


def _price(given: float, made: float) -> Price:
    return Price(input=given, output=made, cached=given)


KNOWN: Final[Mapping[str, tuple[tuple[str, Price], ...]]] = {
    # Cerebras' public model list, as catalogued on 2026-06-12; model pages of two gateways agree. No cache discount.
    "cerebras": (("gpt-oss-120b", _price(0.35, 0.75)),),
    # console.groq.com/docs/models, as read in May 2026. Cached input may cost less; the full price is the safe side.
    "groq": (("openai/gpt-oss-120b", _price(0.15, 0.60)), ("openai/gpt-oss-20b", _price(0.075, 0.30))),
}
"""Prices by preset. They change: `SPARK_PRICES` goes before them."""


class PriceTable:
    """Prices by model name. The first entry that fits counts; an exact name goes before any pattern."""

    __slots__ = ("_entries",)

    def __init__(self, entries: tuple[tuple[str, Price], ...] = ()) -> None:
        self._entries = entries

    @classmethod
    def read(cls, text: str, *, preset: str = "") -> PriceTable:
        """The table of `model=IN/OUT[/CACHED],other*=...`, then what is known of the preset.

        Raises ConfigError naming `SPARK_PRICES` and the entry that cannot be read.
        """
        entries = tuple(_entry(part.strip()) for part in text.split(",") if part.strip())
        return cls(entries + KNOWN.get(preset, ()))

    def find(self, model: str) -> Price | None:
        """What `model` costs, or None when that is not known."""
        for name, price in self._entries:
            if name == model:
                return price
        return next((price for pattern, price in self._entries if fnmatchcase(model, pattern)), None)


def _entry(text: str) -> tuple[str, Price]:
    # From the right, because a model's name may have a "=" but a price may not.
    name, equals, figures = text.rpartition("=")
    numbers = [_number(part) for part in figures.split("/")]
    if not (equals and name.strip()) or len(numbers) not in {2, 3} or None in numbers:
        raise ConfigError(
            f"{SETTING} has an entry that is no price: {text[:80]!r}",
            remedy="Write model=IN/OUT or model=IN/OUT/CACHED, in US dollars per million tokens, separated by commas",
        )
    given, made, *rest = (number for number in numbers if number is not None)
    return name.strip(), Price(input=given, output=made, cached=rest[0] if rest else given)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
