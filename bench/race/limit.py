"""What no client can beat: the physical limit of a review for a speed, a shape and an effort. Pure.

Everything that has to happen one after another, and nothing else:

1. Read the change. One call to GitHub, `LATENCY`. Where the diff has more lines than GitHub gives as one, two: the list of the
   files leaves the patches out, and what it leaves out can be asked for only when it has named it.
2. The endpoint's first token, `ttft`. All files are asked about at once, so this and the next are paid once, not once a file.
3. The longest answer, `ANSWER_TOKENS / tps`.
4. At `standard` each finding is checked by a call of its own. The last finding of an answer ends with its stream, so behind the
   stream come another `ttft` and the tokens of a verdict; all other checks are over by then.
5. Post the review: one call, `LATENCY`.

A first finding is there after the read, the first token and `FINDING_TOKENS`, and at `standard` after its check; it need not be posted,
for a page, a log or a terminal shows it. The stand-in's findings have 45 to 56 tokens, so where tokens come slowly a first one may be seen a
little before that.

What the limit leaves out: the start of a process, the configuration and the files' texts (a second read, as the paths are in the
first), a login, the check run or commit status of a review, GitHub's limit of comments of one review, any limit of streams at
once, and every second of a processor. A product pays for these, and the ratio shows it.
"""

from __future__ import annotations

from typing import Final

from bot.sandbox.endpoint.second_look import check
from bot.sandbox.endpoint.tokens import count
from race.model import ANSWER_TOKENS, FINDING_TOKENS, LATENCY, Limit, Shape, Speed

VERDICT_TOKENS: Final = count(check(""))
"""Of the stand-in's answer to the check of a finding that it does not know, which is what the race's findings are."""
DIFF_LINES: Final = 20_000
"""GitHub gives no diff above this (docs, repository limits). Context and headers count, so so many added lines are beyond it."""


def reads(shape: Shape) -> int:
    """Calls one after another until the whole change is known."""
    return 2 if shape.files * shape.added >= DIFF_LINES else 1


def limit(speed: Speed, shape: Shape, effort: str) -> Limit:
    """Seconds from the start. `effort`: `instant`, or `standard`, which adds the check of each finding. ValueError for others."""
    if effort not in {"instant", "standard"}:
        raise ValueError(f"no limit is known at {effort!r}")
    read = LATENCY * reads(shape)
    verdict = speed.ttft + VERDICT_TOKENS / speed.tps if effort == "standard" else 0.0
    return Limit(
        first_finding=read + speed.ttft + FINDING_TOKENS / speed.tps + verdict,
        done=read + speed.ttft + ANSWER_TOKENS / speed.tps + verdict + LATENCY,
    )


def told(speed: Speed, shape: Shape, effort: str) -> str:
    """The sum of `limit(...).done`, for people."""
    read = f"{LATENCY * reads(shape):.2f} read" if reads(shape) == 1 else f"{LATENCY * reads(shape):.2f} two reads"
    parts = [read, f"{speed.ttft:.2f} first token", f"{ANSWER_TOKENS / speed.tps:.2f} longest answer"]
    if effort == "standard":
        parts.append(f"{speed.ttft + VERDICT_TOKENS / speed.tps:.2f} its last finding's check")
    parts.append(f"{LATENCY:.2f} post")
    return f"{limit(speed, shape, effort).done:.2f} s = {' + '.join(parts)}"
