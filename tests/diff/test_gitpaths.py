"""Names in diffs, without any diff around them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diff import gitpaths


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'"a"', b"a"),
        (b'"caf\\303\\251"', b"caf\xc3\xa9"),
        (b'"\\a\\b\\t\\n\\v\\f\\r\\"\\\\"', b'\a\b\t\n\v\f\r"\\'),
        (b'"\\0011"', b"\x011"),
        (b'"a', None),
        (b'a"', None),
        (b'"a"b"', None),
        (b'"\\q"', None),
        (b'"\\40"', None),
        (b'"\\400"', None),
        (b'"a\\"', None),
    ],
)
def test_c_quoting_is_undone(raw, name):
    assert gitpaths.unquote(raw) == name


@settings(derandomize=True)
@given(st.binary(max_size=30))
def test_any_name_survives_quoting(name):
    quoted = (
        b'"'
        + b"".join(b"\\%03o" % byte if byte < 33 or byte > 126 or byte in b'"\\' else bytes([byte]) for byte in name)
        + b'"'
    )
    assert gitpaths.unquote(quoted) == name


@settings(derandomize=True)
@given(st.binary(min_size=1, max_size=20).filter(lambda name: b"\n" not in name and not name.startswith((b"/", b'"'))))
def test_a_doubled_name_is_parted_in_the_middle_whatever_it_holds(name):
    for old, new in ((b"a/", b"b/"), (b"", b"")):
        found = gitpaths.halves(old + name + b" " + new + name)
        assert found is not None
        assert gitpaths.common_path(*found) == name


@pytest.mark.parametrize("raw", [b"", b" ", b"a/x", b"a/x b/y", b'"a/x" b/x b/x"', b'"a/x"', b'"a/x b/x'])
def test_names_that_do_not_match_have_no_common_path(raw):
    found = gitpaths.halves(raw)
    assert found is None or gitpaths.common_path(*found) is None


@pytest.mark.parametrize(
    ("raw", "name"), [(b"a/x", b"a/x"), (b"a/x y\t", b"a/x y"), (b'"a/x\\ty"\t', b"a/x\ty"), (b"a/x\t\t", b"a/x\t")]
)
def test_one_tab_behind_a_label_goes_away(raw, name):
    assert gitpaths.read_label(raw) == name
