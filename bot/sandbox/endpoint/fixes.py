"""The rule-based reviewer's edits of a file: what mends its own findings, or does what somebody asks for.

It mends what it reported, at the tagged lines of the place; where the line itself cannot tell all (an import is missing),
it edits the rest of the file too. What it can be asked for is in `instructions.py`. Everything else it declines.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.sandbox.endpoint.instructions import instructed
from bot.sandbox.endpoint.longer_mends import LONGER_MENDS, with_imports
from bot.sandbox.endpoint.rewriting import edits, none, whole
from bot.sandbox.endpoint.shown import Shown, plain, read_data, read_shown
from bot.sandbox.endpoint.smell import Smell
from bot.sandbox.endpoint.smells import SMELLS


def fix(prompt: str) -> str:
    """The answer to a call for edits. What failed before is not said again."""
    data = read_data(prompt)
    lines = read_shown(data.get("file", ""))
    if not lines:
        return none("No line of the file is shown.")
    places = {line.tag for line in read_shown(data.get("place", ""))}
    at = [index for index, line in enumerate(lines) if line.tag in places]
    instruction = plain(data.get("instruction", "")).strip()
    answer = _instructed(lines, at, instruction) if instruction else _mended(lines, at, plain(data.get("report", "")))
    if "failed" in data and _says_again(answer, data["failed"]):
        return none("There is no other way that the rules know.")
    return answer


def _instructed(lines: Sequence[Shown], at: Sequence[int], instruction: str) -> str:
    old = [line.code for line in lines]
    done = instructed(
        old, at, lines[0].path, instruction, tidy=lambda codes: mended(codes, (), lines[0].path, SMELLS)[0]
    )
    if isinstance(done, str):
        return none(done)
    return whole(lines, done.lines, done.why) if done.whole else edits(lines, done.lines, done.why)


def _mended(lines: Sequence[Shown], at: Sequence[int], report: str) -> str:
    known = [smell for smell in SMELLS if smell.title in report]
    if not known:
        return none("What is reported is nothing that the rules know.")
    old = [line.code for line in lines]
    new, done = mended(old, at, lines[0].path, known)
    if new == old:
        return none(f"The rules know no safe change for: {', '.join(smell.title for smell in known)}.")
    return edits(lines, new, f"Mends: {', '.join(done)}.")


def mended(codes: Sequence[str], at: Sequence[int], path: str, smells: Sequence[Smell]) -> tuple[list[str], list[str]]:
    """`codes` without these mistakes, and the titles of those that were mended.

    Each is looked for at `at`, else nearest to it; everywhere when `at` is empty.
    """
    now: list[str | None] = list(codes)
    done: dict[str, None] = {}
    wanted: set[str] = set()
    for smell in smells:
        if not path.endswith(smell.suffixes):
            continue
        seen = [index for index in range(len(codes)) if smell.look("\n".join(codes[index : index + smell.lines]))]
        here = [index for index in seen if index in at]
        nearest = sorted(seen, key=lambda index: min(abs(index - place) for place in at))[:1] if at else seen
        for index in here or nearest:
            found = _one(smell, now, index)
            if found is not None:
                text, span, imports = found
                now[index : index + span] = [text, *[None] * (span - 1)]
                wanted.update(imports)
                done[smell.title] = None
    new = [line for text in now if text is not None for line in text.split("\n")]
    return with_imports(new, sorted(wanted)), list(done)


def _one(smell: Smell, now: Sequence[str | None], index: int) -> tuple[str | None, int, tuple[str, ...]] | None:
    """What becomes of the lines from `index` on: text, how many they are, the imports it needs."""
    run = now[index : index + smell.lines]
    kept = [text for text in run if text is not None and "\n" not in text]
    if not run or len(kept) != len(run):
        return None
    code = "\n".join(kept)
    spot = smell.look(code)
    if spot is None:
        return None
    if spot.suggestion is not None:
        return spot.suggestion or None, spot.lines, ()
    longer = LONGER_MENDS.get(smell.title)
    found = longer(kept[0]) if longer else None
    return None if found is None else (found.text, 1, found.imports)


def _says_again(answer: str, failed: str) -> bool:
    """Whether the edits' lines all stand in what did not hold."""
    said = [line for line in answer.split("\n") if line.startswith('{"from"')]
    before = plain(failed)
    return bool(said) and all(line in before for line in said)
