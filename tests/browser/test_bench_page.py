"""The page of `spark bench` in a real browser, opened as the file that it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.bench.model import Arrival, Batch, Bench, Lane, Plan, Series, Stream
from bot.bench.page import bench_html
from bot.bench.prompts import PROMPTS
from bot.review.model import Usage
from bot.review.ports import StreamEnd


def a_bench() -> Bench:
    lanes = [
        Lane(name=name, base_url="http://127.0.0.1:9/v1", model_name="m", api="chat", model=None, price=None)  # type: ignore[arg-type]
        for name in ("fast", "a-very-long-name-of-an-endpoint-without-a-place-to-break", "<i>down</i>")
    ]
    rates = (1000.0, 70.0, 0.0)
    plan = Plan(prompts=(PROMPTS["hooks"],), levels=(1, 4), runs=2)

    def stream(rate: float) -> Stream:
        arrivals = tuple(Arrival(at=0.2 + number / rate, chars=4) for number in range(400)) if rate else ()
        return Stream(asked=0, sent=0, ended=9, end=StreamEnd.WHOLE if rate else StreamEnd.CUT, arrivals=arrivals,
                      usage=Usage(output_tokens=400, usd=None), counted=True)  # fmt: skip

    return Bench(
        lanes=tuple(lanes),
        plan=plan,
        series=tuple(
            Series(lane=lane, prompt=plan.prompts[0], parallel=parallel,
                   batches=(Batch(streams=(stream(rate),) * parallel, cpu_seconds=0.1),) * 2)
            for parallel in plan.levels
            for lane, rate in zip(lanes, rates, strict=True)
        ),
        warm_ups=15,
        warm_up_usage=Usage(),
    )  # fmt: skip


def test_the_page_is_drawn_without_a_complaint_in_both_schemes_and_on_a_narrow_screen(
    tab: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "bench.html"
    file.write_text(bench_html(a_bench(), measured_at="2026-11-23"), encoding="utf-8")
    for options in ({"color_scheme": "dark"}, {"viewport": {"width": 400, "height": 800}}):
        page = tab(file.as_uri(), **options).page
        boxes = page.eval_on_selector_all("svg rect", "all => all.map(one => one.getBoundingClientRect().width)")
        assert len(boxes) == 4  # no bar for the one that is down
        assert abs(boxes[0] / boxes[1] - 1000 / 70) < 0.5
        assert page.locator("polyline").count() == 2
        # Nothing sticks out of its picture, and the page does not scroll sideways.
        out = page.eval_on_selector_all(
            "svg text",
            "all => all.filter(one => { const box = one.getBoundingClientRect(), "
            "svg = one.ownerSVGElement.getBoundingClientRect(); return box.left < svg.left - 1 || box.right > svg.right + 1; })"
            ".map(one => one.textContent)",
        )
        assert out == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("document.fonts.size") == 0
