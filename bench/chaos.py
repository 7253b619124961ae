"""What a person sees, and what is kept, when the endpoint or GitHub fails: one whole posted review for each fault.

The stand-ins run in this process on loopback; the pull request is the demo's, reviewed at effort `standard` with the
rule-based endpoint, so that every run finds the same. Where a faulty run may have posted a part, the fault is taken away
and the review is run again: what the first run could not bring must be on the pull request then, once.

    python bench/chaos.py                  # the table
    python bench/chaos.py --write          # and into docs/chaos.md
    python bench/chaos.py --only 502       # the rows whose name has this text
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from chaos_cases import CASES
from chaos_run import Row, measure, problems

PAGE = Path(__file__).parents[1] / "docs" / "chaos.md"


def table(rows: Sequence[Row]) -> str:
    """The rows as markdown, one table for each side."""
    parts = []
    for side in dict.fromkeys(row.case.side for row in rows):
        parts.append(f"## {side}\n")
        parts.append("| fault | what the user sees | findings: kept, in line, in the summary | twice | exit code | s |")
        parts.append("|---|---|---|---|---|---|")
        parts += [_row(row) for row in rows if row.case.side == side]
        parts.append("")
    wrong = [f"- {row.case.name}: {problem}" for row in rows for problem in problems(row)]
    told = "\n".join(wrong) or f"All {len(rows)} rows hold: nothing lost, nothing posted twice, no pass with a gap."
    return "\n".join([*parts, told])


def _row(row: Row) -> str:
    kept = row.faulty
    if kept.review is None:
        seen, counts = str(kept.error), "none yet"
    else:
        review = kept.review
        notices = "".join(f" ({notice})" for notice in review.notices)
        seen = f"**{review.verdict}**: {review.reason}{notices}"
        counts = f"{len(kept.findings)}, {len(kept.comments)}, {len(kept.said)}"
    seen = seen.replace("|", "\\|").replace("\n", " ")
    return (
        f"| {row.case.name} | {seen} | {counts} | {(row.again or kept).duplicates} | {kept.exit_code} "
        f"| {kept.seconds:.1f} |"
    )


INTRO = """\
# The chaos table

For each fault of the endpoint and of GitHub: what the user sees, and what was kept. Made by `python bench/chaos.py --write`
(about two minutes), on loopback against the stand-ins of `bot/sandbox`; `tests/e2e/test_chaos.py` holds every row in
`make test`.

The pull request is the demo's; its review at effort `standard` has {findings} findings when nothing goes wrong. "Once" means
the first try of each distinct call (of each distinct prompt at the endpoint); "always" means every call. A stall is noticed
after 1 s here (10 s in real use), and deadlines are short. Numbers of findings: in the result (so on the terminal and in
every file format), as line comments on the pull request, and in a summary or a comment there. After each row the fault is
taken away and, where the first run may have posted a part, the review is run again: everything must then be on the pull
request. "Twice" counts what is there more than once in the end.

"""


def page(rows: Sequence[Row]) -> str:
    """docs/chaos.md."""
    calm = next(row for row in rows if row.case.is_calm)
    return INTRO.format(findings=len(calm.faulty.findings)) + table(rows) + "\n"


def main() -> int:
    """Print the table; 1 when a row shows what must not be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="rows whose name has this text")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    given = parser.parse_args()
    rows = []
    for case in CASES:
        if given.only in case.name:
            print(f"{case.name} ...", file=sys.stderr, flush=True)
            rows.append(measure(case))
    print(table(rows))
    if given.write:
        PAGE.write_text(page(rows), encoding="utf-8")
    return int(any(problems(row) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
