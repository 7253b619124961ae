"""Syntax: which grammar, how many errors, what encloses a hunk; and that hostile text costs little."""

from __future__ import annotations

import difflib
import random
import subprocess
import sys
import threading
import time

import pytest

from bot.diff.languages import NAMES, SUFFIXES
from bot.diff.parse import read_patch
from bot.diff.syntax import MAX_BYTES, error_count, language, surroundings


def hunk_at(text: str, row: int, path: str):
    """The hunk that changes line `row`, with one line of context, and the text after it."""
    old = text.split("\n")
    new = list(old)
    indent = old[row - 1][: len(old[row - 1]) - len(old[row - 1].lstrip())]
    new[row - 1] = indent + "changed"
    diff = "".join(
        difflib.unified_diff([f"{x}\n" for x in old], [f"{x}\n" for x in new], f"a/{path}", f"b/{path}", n=1)
    )
    return "\n".join(new), read_patch(diff.encode()).files[0].hunks[0]


def around(path: str, text: str, row: int):
    after, hunk = hunk_at(text, row, path)
    return surroundings(after, path, hunk)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.py", "python"),
        ("A.PY", "python"),
        ("x.test.tsx", "tsx"),
        ("Dockerfile", "dockerfile"),
        ("docker/Dockerfile.dev", "dockerfile"),
        ("Makefile", "make"),
        ("go.mod", "gomod"),
        ("README.md", None),
        ("LICENSE", None),
        ("dir.py/file", None),
        (".gitignore", None),
    ],
)
def test_the_name_tells_the_grammar(path, expected):
    assert language(path) == expected


def test_every_grammar_that_is_named_can_be_loaded_and_parses():
    grammars = set(SUFFIXES.values()) | set(NAMES.values())
    assert len(grammars) > 40
    by_grammar = {grammar: f"x{suffix}" for suffix, grammar in SUFFIXES.items()}
    by_grammar |= {grammar: name for name, grammar in NAMES.items() if grammar not in by_grammar}
    for grammar in sorted(grammars):
        assert language(by_grammar[grammar]) == grammar
        assert error_count("", by_grammar[grammar]) is not None


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("x.py", "def f(a):\n    return a\n", "def f(a:\n    return a\n"),
        ("x.js", "function f(a) { return a; }\n", "function f(a) { return a; \n"),
        ("x.ts", "const a: number = 1;\n", "const a: = 1;\n"),
        ("x.go", "package a\n\nfunc f() {}\n", "package a\n\nfunc f( {}\n"),
        ("x.rs", "fn f() -> i32 { 1 }\n", "fn f() -> { 1 \n"),
        ("x.java", "class A { void f() {} }\n", "class A { void f( {} }\n"),
        ("x.c", "int f(void) { return 1; }\n", "int f(void) { return 1; \n"),
        ("x.rb", "def f\n  1\nend\n", "def f\n  1\n"),
        ("x.json", '{"a": 1}\n', '{"a": }\n'),
        ("x.sh", "if true; then ls; fi\n", "if true; then ls;\n"),
    ],
)
def test_errors_are_counted(path, good, bad):
    assert error_count(good, path) == 0
    count = error_count(bad, path)
    assert count is not None
    assert count > 0


@pytest.mark.parametrize(
    "text", ["if x:\ny\n", "def f():\n        a\n    b\n", "def f():\n    # c\n", "  x = 1\ny = 2\n"]
)
def test_indentation_that_the_grammar_lets_pass_is_an_error_in_python(text):
    assert error_count(text, "x.py")


@pytest.mark.parametrize(
    "text",
    [
        "x = 1; y = 2\nz = 3\n",
        "def f(): return 1\n",
        "class A:\n    '''d'''\n\n    # c\n    def f(self): pass\n  # odd comment\n",
        "if a:\n    b\nelif c:\n    d\nelse:\n    e\n",
        "f(1,\n2)\ng()\n",
        "@d\ndef f():\n    pass\n",
        "match x:\n    case 1:\n        pass\n    case _:\n        pass\n",
        "try:\n    a\nexcept E:\n    b\nfinally:\n    c\n",
    ],
)
def test_good_python_has_no_error(text):
    assert error_count(text, "x.py") == 0


def test_the_library_of_this_python_parses_without_an_error():
    import json.decoder as one
    import pathlib as two
    import textwrap as three

    for module in (one, two, three):
        with open(module.__file__, encoding="utf-8") as file:  # noqa: PTH123
            assert error_count(file.read(), "x.py") == 0


def test_no_grammar_and_too_large_a_file_are_none():
    assert error_count("((", "notes.txt") is None
    assert error_count("x = 1\n" * (MAX_BYTES // 6 + 1), "x.py") is None


def test_bytes_that_are_not_utf8_do_not_stop_the_parser():
    assert error_count("x = '\udcff'\n", "x.py") is not None
    assert error_count("x = '\ud800'\n", "x.py") is not None


def test_scopes_are_the_headers_above_the_change_that_the_hunk_does_not_show():
    text = "import os\n\n\nclass A:\n    x = 1\n\n    @dec\n    def f(self,\n          b):\n        z = 1\n        if z:\n            y = 1\n            q = 1\n        return 1\n\n    def g(self):\n        pass\n"
    assert around("x.py", text, 13).scopes == ((4, "class A:"), (8, "    def f(self,"))
    # The header of f is inside the hunk.
    assert around("x.py", text, 9).scopes == ((4, "class A:"),)
    assert around("x.py", text, 1).scopes == ()


@pytest.mark.parametrize(
    ("path", "text", "row", "scopes"),
    [
        (
            "x.ts",
            "export class A {\n  m() {\n    const f = () => {\n      a();\n      b();\n      c();\n    };\n  }\n}\n",
            5,
            [1, 2, 3],
        ),
        ("x.go", "package a\n\nfunc (a *A) F() {\n\tb()\n\tc()\n\td()\n}\n", 6, [3]),
        ("x.rb", "module M\n  class A\n    def f\n      a\n      b\n      c\n    end\n  end\nend\n", 5, [1, 2, 3]),
        ("x.rs", "impl<T> Foo<T> {\n    pub fn x(&self) {\n        a;\n        b;\n        c;\n    }\n}\n", 4, [1, 2]),
        (
            "x.java",
            "public class A {\n    @Override\n    public void f() {\n        a();\n        b();\n        c();\n    }\n}\n",
            6,
            [1, 3],
        ),
        ("x.c", "static int\nfoo(int a)\n{\n  int x;\n  x = 1;\n  x = 2;\n}\n", 5, [2]),
        (
            "x.cs",
            "namespace N {\n  class A {\n    void F() {\n      A();\n      B();\n      C();\n    }\n  }\n}\n",
            5,
            [1, 2, 3],
        ),
        ("x.php", "<?php\nclass A {\n  function f() {\n    a();\n    b();\n    c();\n  }\n}\n", 5, [2, 3]),
        ("x.kt", "class A {\n  fun f() {\n    a()\n    b()\n    c()\n  }\n}\n", 4, [1, 2]),
        ("x.yml", "a:\n  b:\n    c:\n      - 1\n      - 2\n      - 3\n", 5, [1, 2, 3]),
        ("x.unknown", "foo\n  bar\n    baz\n    q\n    r\n", 5, [1, 2]),
    ],
)
def test_scopes_in_other_languages(path, text, row, scopes):
    assert [number for number, _ in around(path, text, row).scopes] == scopes


def test_a_removal_alone_is_placed_where_it_was():
    text = "class A:\n    def f(self):\n        a\n        b\n        c\n"
    diff = b"--- a/x.py\n+++ b/x.py\n@@ -4,3 +4,2 @@\n         b\n-        gone\n         c\n"
    assert [row for row, _ in surroundings(text, "x.py", read_patch(diff).files[0].hunks[0]).scopes] == [1, 2]


@pytest.mark.parametrize(
    ("path", "text", "rows"),
    [
        ("x.py", "import a\nfrom b import (\n    c,\n    d,\n)\nx = 1\n", [1, 2, 3, 4, 5]),
        ("x.go", 'package a\n\nimport (\n\t"fmt"\n)\n\nvar x = 1\n', [1, 3, 4, 5]),
        ("x.c", '#include <a.h>\n#include "b.h"\nint x;\n', [1, 2]),
        ("x.rs", "use a::b;\nfn x() {}\n", [1]),
        ("x.ts", "import a from 'b';\nconst x = 1;\n", [1]),
        ("x.js", "const a = require('b');\nconst x = 1;\n", [1]),
        ("x.rb", "require 'a'\nx = 1\n", [1]),
        ("x.unknown", "include foo\nx\n", []),
        ("x.json", '{"import": 1}\n', []),
    ],
)
def test_imports_are_found(path, text, rows):
    last = text.count("\n")
    assert [number for number, _ in around(path, text, last).imports] == rows


def test_imports_are_bounded_and_printable():
    text = "".join(f"import m{n}\n" for n in range(100)) + "import \udcff" + "x" * 900 + "\nx = 1\n"
    after, hunk = hunk_at(text.replace("\udcff", "y"), 102, "x.py")
    assert len(surroundings(after, "x.py", hunk).imports) == 30
    (line,) = surroundings("import z\udcff" + "x" * 900, "x.lua", hunk).imports
    assert line == (1, f"import z\ufffd{'x' * 191} …")


def test_a_file_that_is_shorter_than_the_hunk_says_does_no_harm():
    _, hunk = hunk_at("a\n" * 50, 40, "x.py")
    for text in ("", "x", "def f():\n    pass"):
        for path in ("x.py", "x.txt"):
            assert surroundings(text, path, hunk).imports == ()


def test_random_bytes_cost_seconds_at_most():
    made = random.Random(1)
    text = "".join(made.choice(" \n\t(){}[]abc=;:'\"#/*<>") for _ in range(100_000))
    start = time.perf_counter()
    # Without a limit this takes five minutes.
    assert error_count(text, "x.ts") is None
    assert time.perf_counter() - start < 10


def test_a_large_file_is_parsed_once_for_many_questions():
    text = "def f():\n    return [1, 2, 3]\n\n\n" * 20_000
    _, hunk = hunk_at(text[:4000], 60, "x.py")

    def seconds(ask):
        start = time.process_time()
        ask()
        return time.process_time() - start

    for ask in (lambda: surroundings(text, "x.py", hunk), lambda: error_count(text, "x.py")):
        first = seconds(ask)
        assert seconds(ask) < first / 2


def test_many_threads_get_the_same_answers():
    texts = [f"class A{n}:\n    def f(self):\n        x\n        y\n        z\n" for n in range(40)]
    hunk = hunk_at(texts[0], 4, "x.py")[1]
    wrong = []

    def work() -> None:
        for number, text in enumerate(texts):
            if surroundings(text, "x.py", hunk).scopes[0] != (1, f"class A{number}:"):
                wrong.append(number)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_grammars_are_not_imported_before_they_are_needed():
    code = "import sys, bot.diff.syntax, bot.diff.edit; sys.exit('tree_sitter' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
