"""2,000 generated diffs with hostile names and contents, held line by line against the blobs and git's own counts."""

from __future__ import annotations

import pytest

from bot.diff.anchors import anchor_lines, parse_tag, resolve, show, tag
from bot.diff.model import Anchor
from bot.diff.parse import read_patch
from bot.sandbox.hostile import hostile_repository

REPOSITORIES = 100
CHANGES = 20
STYLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "plain": (("-M",), ()),
    "unquoted": (("-M",), ("core.quotePath=false",)),
    "no context": (("-M", "-U0"), ()),
    "copies": (("-C", "--find-copies-harder"), ()),
    "much context": (("-M", "-U25"), ()),
    "no prefix": (("-M", "--no-prefix"), ()),
    "own prefix": (("-M", "--src-prefix=old/", "--dst-prefix=newer/"), ()),
    "binary patch": (("-M", "--binary"), ()),
    "no renames": (("--no-renames",), ()),
    "functions": (("-M", "-W"), ()),
    "patience": (("-M", "--patience", "--inter-hunk-context=4"), ()),
    "crlf": (("-M",), ()),
}
LIKENESS = ("-M", "-C", "--find", "--no-renames")
"""Options that decide which files are paired, and so the same for git's counts."""


@pytest.mark.parametrize("part", range(10))
def test_2000_hostile_diffs_are_read_without_a_crash_a_wrong_line_or_a_loss(
    part, tmp_path, open_repository, hold_against_git
):
    lines = anchors = diffs = 0
    for number in range(part, REPOSITORIES, 10):
        folder = tmp_path / str(number)
        changes = hostile_repository(folder, number, changes=CHANGES)
        repository = open_repository(folder)
        pairs = [(change.base_tree, change.head_tree) for change in changes]
        style = list(STYLES)[number % len(STYLES)]
        options, config = STYLES[style]
        entries = repository.entries(pairs, *(option for option in options if option.startswith(LIKENESS)))
        for patch_bytes, expected in zip(repository.patches(pairs, *options, config=config), entries, strict=True):
            data = patch_bytes.replace(b"\n", b"\r\n") if style == "crlf" else patch_bytes
            patch = read_patch(data)
            lines += hold_against_git(patch, expected)
            anchors += check_anchors(patch)
            diffs += 1
    assert diffs == REPOSITORIES // 10 * CHANGES
    assert lines > 5_000
    assert anchors == lines


def check_anchors(patch):
    """Every line that would be offered resolves back to itself, alone and as a range of its hunk."""
    count = 0
    for file in patch.files:
        for hunk in file.hunks:
            shown = show(hunk)
            assert len(shown) == len(hunk.lines)
            for text, line in zip(shown, hunk.lines, strict=True):
                assert "\n" not in text
                name = tag(line)
                assert text.startswith(f"{line.kind}{name}|")
                assert parse_tag(text) == parse_tag(name)
                anchor = resolve(file, text, text, hunks=[hunk.key])
                assert isinstance(anchor, Anchor)
                assert (anchor.path, anchor.side, anchor.start_line, anchor.line, anchor.text, anchor.hunk) == (
                    file.path,
                    line.side,
                    line.number,
                    line.number,
                    (line.text,),
                    hunk.key,
                )
                assert anchor_lines(file, line.side, line.number, line.number) == anchor
                count += 1
            check_range(file, hunk)
    return count


def check_range(file, hunk):
    for side in {line.side for line in hunk.lines}:
        on_side = list(hunk.on(side))
        anchor = resolve(file, tag(on_side[0]), tag(on_side[-1]))
        contiguous = on_side[-1].number - on_side[0].number + 1 == len(on_side)
        assert isinstance(anchor, Anchor) == contiguous
        if contiguous:
            assert anchor.text == tuple(line.text for line in on_side)
