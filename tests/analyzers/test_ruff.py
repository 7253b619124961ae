"""Ruff on the head of changed files: which results are kept, where they go, and which fixes become suggestions."""

from __future__ import annotations

import ast
import stat
import subprocess

import pytest

from bot.analyzers import Ruff
from bot.analyzers.rules import IGNORE, SELECT, weigh
from bot.diff.edit import splice
from bot.review.model import Category, Severity


def run(made):
    report = Ruff().run(made.change, made.files)
    assert report.problem == ""
    return report


def told(report):
    return [
        (result.anchor.path, result.anchor.start_line, result.anchor.line, result.rule) for result in report.results
    ]


def test_only_added_lines_are_told_and_the_others_are_counted(made):
    old = "import os\n\n\ndef f():\n    return 1\n"
    new = "import os\nimport sys\n\n\ndef f():\n    return nothing\n"
    report = run(made({"a.py": (old, new)}))
    assert told(report) == [("a.py", 2, 2, "F401"), ("a.py", 6, 6, "F821")]
    assert report.outside == 1
    first, second = report.results
    assert (first.severity, first.category, first.source) == (Severity.LOW, Category.MAINTAINABILITY, "ruff")
    assert first.title == "`sys` imported but unused"
    assert "import cycles" in first.body
    assert first.suggestion == ""
    assert (second.severity, second.category, second.suggestion) == (Severity.HIGH, Category.BUG, None)


def test_many_files_with_odd_names_are_read_in_one_run(made):
    names = [
        "a b.py",
        "it's.py",
        "ünï/x.py",
        "--config.py",
        "-.pyi",
        "pyproject/ruff.py",
        "x/__init__.py",
        "build/y.py",
    ]
    report = run(made(dict.fromkeys(names, (None, "import os\n"))))
    assert {path for path, *_ in told(report)} == set(names)
    by_path = {result.anchor.path: result for result in report.results}
    assert by_path["a b.py"].suggestion == ""
    assert by_path["x/__init__.py"].suggestion is None, (
        "an import there may be meant for others, so its fix is not safe"
    )


def test_the_projects_own_configuration_is_never_read(made, tmp_path, monkeypatch):
    (tmp_path / "ruff.toml").write_text('lint.ignore = ["F401"]\nextend-exclude = ["*"]\n')
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nthis is broken\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("RUFF_OUTPUT_FILE", str(tmp_path / "stolen"))
    monkeypatch.setenv("RUFF_OUTPUT_FORMAT", "concise")
    monkeypatch.setenv("RUFF_CONFIG", str(tmp_path / "ruff.toml"))
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    config = made({"ruff.toml": (None, 'lint.ignore = ["F401"]\n'), "a.py": (None, "import os\n")})
    assert told(run(config)) == [("a.py", 1, 1, "F401")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pyproject.toml", "ruff.toml"]


@pytest.mark.parametrize(
    ("path", "text", "mode"),
    [
        ("notes.txt", "import os\n", "100644"),
        ("book.ipynb", "import os\n", "100644"),
        ("link.py", "import os", "120000"),
        ("latin.py", "import os  # caf\udce9\n", "100644"),
        ("lone.py", "import os\rimport sys\n", "100644"),
    ],
)
def test_what_is_no_readable_python_file_is_left_alone(made, path, text, mode):
    report = Ruff(binary="/nonexistent/never/started").run(*_both(made({path: (None, text)}, {path: mode})))
    assert (report.results, report.problem) == ((), "")


def _both(made_change):
    return made_change.change, made_change.files


def test_a_file_that_cannot_be_had_costs_itself_alone(made):
    change = made({"a.py": (None, "import os\n"), "b.py": (None, "import sys\n")})
    del change.files.texts["a.py"]
    assert told(run(change)) == [("b.py", 1, 1, "F401")]


def test_a_syntax_error_counts_only_where_the_change_made_it(made):
    broken = "def f(:\n    pass\n" + "x = 1\n" * 12
    report = run(made({"a.py": (broken, broken + "y = 2\n")}))
    assert report.results == ()
    assert report.outside > 0
    report = run(made({"a.py": ("x = 1\n", "x = 1\ndef f(:\n    pass\n")}))
    assert {result.rule for result in report.results} == {"invalid-syntax"}
    assert report.results[0].severity is Severity.CRITICAL


def test_new_syntax_is_no_syntax_error(made):
    text = (
        'type Pair[T] = tuple[T, T]\nname = f"{"nested"}"\ntry:\n    pass\nexcept ValueError, TypeError:\n    raise\n'
    )
    assert run(made({"a.py": (None, text)})).results == ()


@pytest.mark.parametrize(
    ("text", "rule", "lines", "suggestion"),
    [
        ("from os import (\n    path,\n    sep,\n)\n\nprint(sep)\n", "F401", (2, 2), ""),
        ("x = 1\nif x is 1:\n    print(x)\n", "F632", (2, 2), "if x == 1:"),
        ('y = "%s %s" % {"a": 1}\n', "F5", None, None),
        ("raise NotImplemented\n", "F901", (1, 1), "raise NotImplementedError"),
        ("import re\n\nprint(re.match('\\d', 'x'))\n", "W605", (3, 3), "print(re.match(r'\\d', 'x'))"),
    ],
)
def test_safe_fixes_become_whole_line_suggestions_that_parse(made, text, rule, lines, suggestion):
    found = [result for result in run(made({"a.py": (None, text)})).results if result.rule.startswith(rule)]
    assert found
    result = found[0]
    assert result.suggestion == suggestion
    if suggestion is not None:
        assert (result.anchor.start_line, result.anchor.line) == lines
        edited = splice(text, *lines, result.suggestion)
        ast.parse(edited)
        again = run(made({"a.py": (None, edited)})).results
        assert rule not in {other.rule for other in again}


def test_a_fix_keeps_the_line_endings_of_the_file(made):
    text = "import os\r\nimport sys\r\n\r\nprint(sys)\r\nx = 1\r\nif x is 1:\r\n    pass\r\n"
    by_rule = {result.rule: result for result in run(made({"a.py": (None, text)})).results}
    assert by_rule["F632"].suggestion == "if x == 1:"
    assert splice(text, 6, 6, by_rule["F632"].suggestion) == text.replace("is 1", "== 1")


def test_a_byte_order_mark_does_not_shift_a_fix(made):
    text = "\ufeffx = 1 if 1 is 1 else 2\nprint(x)\n"
    (result,) = run(made({"a.py": (None, text)})).results
    assert result.suggestion in {None, "\ufeffx = 1 if 1 == 1 else 2"}


def test_a_mistake_that_the_change_causes_elsewhere_is_counted(made):
    old = "import os\n" + "x = 1\n" * 20 + "print(os, x)\n"
    new = "import os\n" + "x = 1\n" * 20 + "print(x)\n"
    report = run(made({"a.py": (old, new)}))
    assert (report.results, report.outside) == ((), 1)


def test_unsafe_fixes_are_not_suggested(made):
    (result,) = run(made({"a.py": (None, "def f(x=[]):\n    return x\n")})).results
    assert (result.rule, result.suggestion) == ("B006", None)


@pytest.mark.parametrize("path", ["tests/test_a.py", "a/test_b.py", "conftest.py", "pkg/tests/data.py", "b_test.py"])
def test_security_rules_do_not_nag_in_tests(made, path):
    text = 'import subprocess\n\npassword = "hunter2hunter2"\nsubprocess.run("ls | wc", shell=True)\n'
    assert run(made({path: (None, text)})).results == ()
    assert {result.rule for result in run(made({"src/a.py": (None, text)})).results} == {"S105", "S602"}


def test_a_result_over_many_lines_is_shown_at_its_first_changed_line(made):
    call = (
        "import subprocess\n\n\ndef f(x):\n    return subprocess.run(\n"
        + "        x,\n" * 30
        + "        shell=True,\n    )\n"
    )
    old = call.replace("        shell=True,\n", "")
    results = run(made({"a.py": (old, call)})).results
    assert all(result.anchor.line == result.anchor.start_line for result in results)


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("exit 3", "ruff failed: no message"),
        ("echo went wrong >&2; exit 2", "ruff failed: went wrong"),
        ("echo not json", "ruff could not be run"),
        ("echo '{}'", "ruff could not be run"),
        ('echo \'[{"filename": "x"}]\'', "ruff could not be run"),
    ],
)
def test_whatever_ruff_does_the_review_goes_on_and_says_so(made, tmp_path, script, problem):
    fake = tmp_path / "ruff"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    change = made({"a.py": (None, "import os\n")})
    report = Ruff(binary=str(fake)).run(change.change, change.files)
    assert report.problem.startswith(problem)
    assert report.results == ()
    gone = Ruff(binary=str(tmp_path / "gone")).run(change.change, change.files)
    assert gone.problem == "ruff is not installed"


def test_every_rule_of_the_table_exists_and_none_is_selected_twice():
    from ruff.__main__ import find_ruff_bin

    done = subprocess.run(
        [
            find_ruff_bin(),
            "check",
            "--isolated",
            "--no-cache",
            f"--select={','.join(SELECT)}",
            f"--ignore={','.join(IGNORE)}",
            "-",
        ],
        input=b"x = 1\n",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert b"warning" not in done.stderr, done.stderr.decode()
    assert len(set(SELECT)) == len(SELECT)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("S602", (Severity.HIGH, Category.SECURITY)),
        ("S324", (Severity.MEDIUM, Category.SECURITY)),
        ("PLE1205", (Severity.HIGH, Category.BUG)),
        ("ASYNC251", (Severity.MEDIUM, Category.PERFORMANCE)),
        ("ASYNC105", (Severity.MEDIUM, Category.BUG)),
        ("XYZ1", (Severity.LOW, Category.MAINTAINABILITY)),
    ],
)
def test_the_longest_entry_of_the_table_counts(rule, expected):
    assert weigh(rule) == expected
