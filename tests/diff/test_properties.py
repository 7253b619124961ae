"""Any two trees that git can hold: its diff is read without a loss, and cut anywhere it still tells the truth."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.diff.model import FilePatch, FileStatus
from bot.diff.parse import read_fragment, read_patch
from bot.errors import DiffUnreadableError

SETTINGS = settings(
    derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
names = (
    st.one_of(
        st.binary(min_size=1, max_size=12),
        st.text(' ab/\t\n"\\-+@é', min_size=1, max_size=12).map(str.encode),
        st.sampled_from([b"x b/y", b" b/", b"a b/a", b'"', b"\\", b"--- a/x", b"\r", b"\xff"]),
    )
    .map(lambda name: name.replace(b"\0", b"0").replace(b"/", b"/d") if b"/" in name else name.replace(b"\0", b"0"))
    .map(lambda name: b"n/" + name.strip(b"/").replace(b"//", b"/-/") + b"!")
)
lines = st.one_of(
    st.sampled_from(
        [
            b"",
            b"a",
            b"b",
            b"--- a/x",
            b"+++ b/x",
            b"@@ -1 +1 @@",
            b"\\ No newline at end of file",
            b"diff --git a/x b/x",
        ]
    ),
    st.binary(max_size=8).map(lambda line: line.replace(b"\0", b"")),
    st.text(max_size=6).map(lambda line: line.encode("utf-8", "surrogatepass").replace(b"\0", b"")),
)
contents = st.tuples(st.lists(lines, max_size=25), st.sampled_from([b"\n", b"\r\n"]), st.booleans()).map(
    lambda parts: parts[1].join(parts[0]) + (parts[1] if parts[2] else b"")
)
files = st.tuples(st.sampled_from(["100644", "100644", "100755", "120000"]), contents)


@st.composite
def changes(draw):
    """Two trees that share some names; no name is a folder of another."""
    found: list[bytes] = []
    for name in draw(st.lists(names, min_size=1, max_size=5, unique=True)):
        if not any(name.startswith(other + b"/") or other.startswith(name + b"/") for other in found):
            found.append(name)
    old = {name: draw(files) for name in found if draw(st.integers(0, 4))}
    new = {}
    for name in found:
        what = draw(st.integers(0, 4))
        if what == 1 and name in old:
            new[name] = (old[name][0], old[name][1] + b"\nmore\n")
        elif what:
            new[name] = draw(files)
    return old, new


@SETTINGS
@given(changes(), st.sampled_from([("-M",), ("-M", "-U0"), ("-C", "--find-copies-harder"), ("-M", "--no-prefix")]))
def test_whatever_git_prints_is_read_whole(workshop, hold_against_git, change, options):
    pair = tuple(workshop.trees(*change))
    likeness = tuple(option for option in options if option.startswith(("-M", "-C", "--find")))
    (entries,) = workshop.entries([pair], *likeness)
    (data,) = workshop.patches([pair], *options)
    hold_against_git(read_patch(data), entries)


@settings(SETTINGS, max_examples=25)
@given(changes())
def test_a_diff_cut_at_any_byte_keeps_the_files_before_and_tells_the_rest(workshop, change):
    pair = tuple(workshop.trees(*change))
    (whole,) = workshop.patches([pair], "-M", "--binary")
    expected = read_patch(whole).files
    ends = section_ends(workshop, pair, whole)
    assert len(ends) == len(expected)
    for cut in range(0, len(whole) + 1, 1 + len(whole) // 700):
        check_cut(whole, cut, expected, ends)


def check_cut(whole, cut, expected, ends):
    try:
        patch = read_patch(whole[:cut])
    except DiffUnreadableError:
        # Not even the words `diff --git ` of the first file.
        assert cut < len("diff --git ")
        return
    complete = sum(end <= cut for end in ends)
    assert patch.files[:complete] == expected[:complete]
    begun = complete < len(ends) and cut > (ends[complete - 1] if complete else 0)
    if not begun:
        assert (len(patch.files), patch.bad) == (complete, ())
        return
    # The cut file is told as bad, or what is left of it is a whole diff of its own: some first hunks, or a header.
    assert len(patch.files) + len(patch.bad) == complete + 1
    for file in patch.files[complete:]:
        assert file.path == expected[complete].path
        # Whether a newline ends the last line comes after it, so a cut can take just that away.
        assert [without_newlines(hunk) for hunk in file.hunks] == [
            without_newlines(hunk) for hunk in expected[complete].hunks[: len(file.hunks)]
        ]
        assert whole[cut - 1 : cut] == b"\n" or whole[:cut].endswith(b"\\ No newline at end of file")


def without_newlines(hunk):
    return replace(hunk, lines=tuple(replace(line, newline=True) for line in hunk.lines))


def section_ends(workshop, pair, whole):
    """Where each file's part ends, found with git alone: the length of the diffs of the first 1, 2, ... entries."""
    (entries,) = workshop.entries([pair], "-M")
    count = sum(2 if entry.letter == "T" else 1 for entry in entries)
    starts = []
    at = 0
    # Inside a hunk each line has a character before it.
    for line in whole.split(b"\n"):
        if line.startswith(b"diff --git "):
            starts.append(at)
        at += len(line) + 1
    assert len(starts) == count
    return [*starts[1:], len(whole)] if starts else []


@SETTINGS
@given(contents, contents)
def test_the_fragment_of_a_file_reads_as_its_whole_diff(workshop, old, new):
    if b"\0" in old + new or old == new:
        return
    pair = tuple(
        workshop.trees({b"f": ("100644", old), b"k": ("100644", b"")}, {b"f": ("100644", new), b"k": ("100644", b"")})
    )
    (data,) = workshop.patches([pair])
    (file,) = read_patch(data).files
    fragment = data[data.index(b"\n@@ ") + 1 :].removesuffix(b"\n").decode("utf-8", "surrogateescape")
    read = read_fragment(index=0, path="f", old_path=None, status=FileStatus.MODIFIED, fragment=fragment)
    assert isinstance(read, FilePatch)
    assert read.hunks == file.hunks


@settings(SETTINGS, max_examples=300)
@given(st.binary(max_size=300), st.integers(0, 8))
def test_no_bytes_at_all_crash_the_reader(data, where):
    parts = [
        b"diff --git a/x b/x\n",
        b"index 1..2 100644\n",
        b"--- a/x\n",
        b"+++ b/x\n",
        b"@@ -1,2 +1,2 @@\n",
        b" one\n",
        b"-two\n",
        b"+three\n",
    ]
    parts.insert(where, data)
    try:
        patch = read_patch(b"".join(parts))
    except DiffUnreadableError:
        return
    assert patch.files or patch.bad
