"""A comment's text to the command it gives. Pure, never raises, and never finds one in a quote or in code.

The first line that counts decides: one that is not blank, not quoted, not code and not a hidden comment of HTML. So what
is cited or shown is never obeyed, nor is a second command below the first. What our own notes say parses to nothing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

from bot.commands.model import Command, NearMiss, Verb
from bot.commands.registry import COMMANDS
from bot.review.render.characters import clean

MOST_REST: Final = 4_000
"""Characters of a question, reason or instruction; more is cut."""

_NAME: Final = "/spark"
_COMMAND = re.compile(r"/spark(?:[:,]|(?=\s)|$)[ \t]*", re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HIDDEN = re.compile(r" {0,3}<!--")
_MARK = re.compile(r"<!--\s*spark:", re.IGNORECASE)
_COMMIT = re.compile(r"[-–—]{1,2}commit", re.IGNORECASE)
"""Telephones turn two hyphens into a dash."""
_FLAG = re.compile(r"(?:--|[–—])[A-Za-z][\w-]*")
_NO_BREAK = re.compile("[\x0b\x0c\x85\xa0\u2028\u2029]")
"""To GitHub none of these ends a line, so what follows one in a quote is quoted."""
_END_OF_WORD = ".,:;!?"
_NEAR: Final = 0.75
_ALL_OF = re.compile(
    "|please|pl[sz]|thanks?|you|now|at|once|🙏|of|them|it|th[eo]se|the|your|my|open|"
    "(?:finding|issue|problem|suggestion|fix|thread)(?:e?s)?|everything",
    re.IGNORECASE,
)
"""What may stand behind `all` without another meaning."""


def parse(body: str) -> Command | NearMiss | None:
    """What a comment asks for; None when it is no command, as most are.

    `/spark` must begin the line, in any case; alone it asks for help. `rest` is what follows the verb, with the lines
    below it, without quotes and without further commands.
    """
    if _MARK.search(body):
        return None
    lines = list(_spoken(clean(_NO_BREAK.sub(" ", body)).split("\n")))
    if not lines:
        return None
    first, below = lines[0].strip(), lines[1:]
    found = _COMMAND.match(first)
    if found is None:
        return _misspelt(first)
    word, _, behind = first[found.end() :].strip().partition(" ")
    if not word:
        return Command(verb=Verb.HELP)
    verb = _verb(word)
    if verb is None:
        return NearMiss(wrote=word[:60], meant=_meant(word))
    if verb is Verb.FIX:
        return _fix(behind.strip(), below)
    return Command(verb=verb, rest=_rest(behind.strip(), below))


def _spoken(lines: list[str]) -> Iterator[str]:
    """The lines that the writer speaks with: the first one that counts, and what stands below it.

    Above the first one code is skipped; below it code belongs to what is said, as in an instruction with an example.
    """
    fence = ""
    hidden = False
    begun = False
    for line in lines:
        mark = _FENCE.match(line)
        if fence:
            closes = mark is not None and mark[1].startswith(fence) and not line.strip(f" {fence[0]}")
            if begun:
                yield line
            fence = "" if closes else fence
            continue
        if hidden:
            hidden = "-->" not in line
            continue
        if mark is not None:
            fence = mark[1]
            if begun:
                yield line
            continue
        if _HIDDEN.match(line):
            hidden = "-->" not in line
            continue
        if line.lstrip().startswith(">"):
            continue
        if begun:
            if _COMMAND.match(line.strip()):
                return
            yield line
        elif line.strip() and not line.startswith("    "):
            begun = True
            yield line


def _verb(word: str) -> Verb | None:
    try:
        return Verb(word.rstrip(_END_OF_WORD).lower())
    except ValueError:
        return None


def _meant(word: str) -> Verb | None:
    """The command that a wrong word is near to, by its letters or by what people call it elsewhere."""
    word = word.rstrip(_END_OF_WORD).lower()
    for verb, spec in COMMANDS.items():
        if word in spec.also:
            return verb
    for verb in Verb:
        if _one_edit(word, verb):
            return verb
    near = difflib.get_close_matches(word[:60], [verb.value for verb in Verb], 1, _NEAR)
    return Verb(near[0]) if near else None


def _misspelt(line: str) -> NearMiss | None:
    """`/sprak fix`: one edit from our name, and then a verb. Anything else is not meant for us."""
    word, _, behind = line.partition(" ")
    word = word.lower()
    if not word.startswith("/") or abs(len(word) - len(_NAME)) > 1 or not _one_edit(word, _NAME):
        return None
    verb = _verb(behind.strip().partition(" ")[0])
    return None if verb is None else NearMiss(wrote=word, meant=verb)


def _one_edit(one: str, other: str) -> bool:
    """Whether one letter put in, left out, changed, or two neighbours swapped make `other` of `one`."""
    at = 0
    while at < min(len(one), len(other)) and one[at] == other[at]:
        at += 1
    left, right = one[at:], other[at:]
    swapped = left[:2] == right[:2][::-1] and left[2:] == right[2:]
    return swapped or left[1:] == right or left == right[1:] or left[1:] == right[1:]


def _fix(said: str, below: list[str]) -> Command | NearMiss:
    """`fix` with its flags. `all` may be followed by what is polite or says of what. Whatever else begins with it is asked about: to
    take `fix all of the critical ones` for an instruction about one file would be a guess.
    """
    commit = False
    while said:
        word, _, after = said.partition(" ")
        if _COMMIT.fullmatch(word):
            commit = True
        elif word.rstrip(_END_OF_WORD).lower() in {"all", "--all"}:
            more = [each for each in after.split() if not _COMMIT.fullmatch(each)]
            if not all(_ALL_OF.fullmatch(each.strip(_END_OF_WORD)) for each in more):
                return NearMiss(wrote=f"all {after.strip()}"[:60], meant=Verb.FIX)
            commit = commit or len(more) < len(after.split())
            return Command(verb=Verb.FIX, rest=_rest("", below), commit=commit, everything=True)
        elif _FLAG.fullmatch(word):
            return NearMiss(wrote=word[:60], meant=Verb.FIX)
        else:
            break
        said = after.strip()
    instruction, _, last = said.rpartition(" ")
    if _COMMIT.fullmatch(last):
        commit, said = True, instruction
    return Command(verb=Verb.FIX, rest=_rest(said, below), commit=commit)


def _rest(behind: str, below: list[str]) -> str:
    return "\n".join([behind, *below]).strip()[:MOST_REST].rstrip()
