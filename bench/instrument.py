"""Does `spark bench` measure what is there? Its figures against what the stand-in endpoint was set to, as a table.

The endpoint is a process of its own, and so is the command. Each setting is measured at 1, 4 and 16 streams at once. `off` is the
distance from the setting; one of more than 3 % ends the script with 1.

    python bench/instrument.py
    python bench/instrument.py --runs 5
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from bot.sandbox.endpoint import endpoint_process

SETTINGS: Final = ((1000.0, 0.15), (70.0, 0.5))
"""Tokens per second and seconds to the first token."""
SECONDS: Final = 1.5
"""How long a stream takes behind its first token."""
LEVELS: Final = (1, 4, 16)
NEAR: Final = 0.03


def measure(url: str, *, tokens: int, runs: int, api: str) -> dict[str, Any]:
    """What `spark bench --format json` says of one endpoint."""
    levels = ",".join(map(str, LEVELS))
    done = subprocess.run(
        [sys.executable, "-m", "bot", "bench", "--base-url", url, "--parallel", levels, "--runs", str(runs),
         "--max-tokens", str(tokens), "--format", "json"],
        env={**os.environ, "SPARK_API": api}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    worst = 0.0
    print(
        "| set to | API | streams at once | first token | tokens/s | together | gap p50 | gap p99 | worst off | CPU ms per 1,000 tokens |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "words.txt"
        text.write_text(" word" * 4000, encoding="utf-8")
        for tps, ttft in SETTINGS:
            with endpoint_process(["--tps", str(tps), "--ttft", str(ttft), "--script", f"file:{text}"]) as url:
                for api in ("chat", "responses"):
                    for series in measure(url, tokens=round(tps * SECONDS), runs=runs, api=api)["series"]:
                        worst = max(worst, row(series, tps=tps, ttft=ttft, api=api))
    print(f"\nworst: {worst:.1%}")
    return int(worst > NEAR)


def row(series: dict[str, Any], *, tps: float, ttft: float, api: str) -> float:
    """Print one row; gives the share by which its worst figure is off."""
    parallel = series["parallel"]
    first, rate = series["first_token_seconds"]["p50"], series["tokens_per_second"]["p50"]
    both, gaps = series["tokens_per_second_together"]["p50"], series["gap_seconds"]
    offs = [abs(rate / tps - 1), abs(both / tps / parallel - 1), abs(first / ttft - 1)]
    off: float = max(offs)
    print(
        f"| {tps:,.0f} tok/s, {ttft * 1000:.0f} ms | {api} | {parallel} | {first * 1000:.1f} ms | {rate:,.1f} | {both:,.0f} "
        f"| {gaps['p50'] * 1000:.2f} ms | {gaps['p99'] * 1000:.2f} ms | {off:.1%} "
        f"| {series['client']['cpu_ms_per_1000_tokens']:.0f} |"
    )
    return off


if __name__ == "__main__":
    sys.exit(main())
