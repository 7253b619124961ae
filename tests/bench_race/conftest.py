"""The benchmark's modules are scripts beside `bench/reviews.py`, so their folder is put on the path."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))


@pytest.fixture
def a_run() -> Callable[..., Any]:
    """Makes a run; every figure may be given."""
    from race.model import Run

    def make(product: str = "Spark server", **figures: Any) -> Run:
        usual: dict[str, Any] = {
            "speed": "fast",
            "shape": "1 file",
            "effort": "instant",
            "first_finding": 0.30,
            "first_post": 0.95,
            "done": 1.0,
            "cpu": 0.1,
            "memory": 120.0,
            "reads": 3,
            "writes": 2,
            "calls": 1,
            "comments": 2,
            "posted": True,
        }
        return Run(product=product, **{**usual, **figures})

    return make
