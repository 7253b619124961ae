"""`spark demo` runs the whole job and ends."""

from __future__ import annotations


def test_the_demo_shows_the_review_and_writes_its_pages(desk):
    ended = desk.spark("demo", "--output", "pages", "--tps", "20000", "--ttft", "0.01")
    assert (ended.code, ended.err) == (0, "")
    assert "shelf/store.py:" in ended.out
    assert "1 review, " in ended.out
    assert "verdict: Pass" in ended.out
    report, page = desk.path / "pages" / "report.html", desk.path / "pages" / "pull-request.html"
    assert "shelf/store.py" in report.read_text("utf-8")
    assert "shelf/store.py" in page.read_text("utf-8")
    for shown in (report, page):
        assert str(shown.relative_to(desk.path)) in ended.out
