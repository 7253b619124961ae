"""`spark` as people run it: exit codes, what goes to which stream, and errors of one line."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from bot import __version__

ALONE = ("review", "--no-model")


def test_version_and_help_need_nothing(desk):
    assert desk.spark("--version", cold=True).out == f"spark {__version__}\n"
    told = desk.spark("help")
    assert told.code == 0
    for word in ("review", "demo", "config", "SPARK_API_KEY", "examples:"):
        assert word in told.out
    assert desk.spark("help", "review").out == desk.spark("review", "--help").out
    assert desk.spark("-h").out == told.out


def test_version_imports_no_client_library_and_an_action_no_commands_either(desk):
    slow = {"openai", "github", "rich", "flask", "bot.commands.serve"}
    probe = "import sys; from bot.__main__ import main; main(['--version']); import bot.cli.action; "
    probe += f"print(sorted({slow} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], env=desk.env, capture_output=True, check=True)
    assert done.stdout.decode().splitlines()[-1] == "[]"


def test_a_process_that_ends_looks_for_no_memory_to_free_and_still_does_what_is_left_to_its_end(desk):
    # What is registered last is called first: one looks before ours, one behind it.
    probe = (
        "import atexit, gc; from bot.__main__ import main; told = lambda: print(gc.get_freeze_count() > 0); "
        "atexit.register(told); main(['--version']); atexit.register(told)"
    )
    done = subprocess.run([sys.executable, "-c", probe], env=desk.env, capture_output=True, check=True)
    assert done.stdout.decode().splitlines()[1:] == ["False", "True"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Say what to do: review, serve, action, bench, setup, demo, config"),
        (["revew"], "There is no verb 'revew'. Did you mean review? See spark help."),
        (["--staged", "review"], "spark has no option --staged before the verb"),
        (["review", "--nonsense"], "spark review: unrecognized arguments: --nonsense"),
        (["review", "main", "--staged"], "RANGE and --staged each say what to review"),
        (["review", "nowhere..HEAD", "--no-model"], "Git knows no commit named 'nowhere'"),
        (["review", "--diff", "gone.diff", "--no-model"], "gone.diff cannot be read"),
        (["review", "--sarif", "gone.sarif"], "gone.sarif cannot be read"),
        (["review", "--output", "gone/x"], "there is no directory gone"),
        (["review", "--output", "."], "--output . is a directory"),
        (["review", "--config", "gone.yml", "--no-model"], "gone.yml cannot be read"),
        (["config", "check", "gone.yml"], "gone.yml cannot be read"),
        (["config"], "the following arguments are required: check"),
        (["review", "--pr", "nonsense"], "'nonsense' names no pull request"),
    ],
)
def test_the_users_mistakes_are_one_line_and_exit_code_2(desk, arguments, message):
    ended = desk.spark(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("spark: ")
    assert message in ended.err
    assert ended.err.count("\n") == 1


def test_a_wrong_setting_is_the_users_mistake_too(desk):
    ended = desk.spark(*ALONE, SPARK_STREAMS="many")
    assert (ended.code, ended.err) == (2, "spark: SPARK_STREAMS is 'many'. Set it to a whole number from 1 to 1000.\n")


def test_a_missing_git_is_the_worlds(desk, tmp_path):
    assert desk.spark(*ALONE, PATH=str(tmp_path)).code == 3


def test_debug_shows_the_trace_and_only_then(desk):
    plain, debug = desk.spark("review", "nowhere"), desk.spark("review", "nowhere", "--debug")
    assert "Traceback" not in plain.err
    assert "Traceback" in debug.err
    assert debug.err.endswith(plain.err)
    assert desk.spark("--debug", "review", "nowhere").err.startswith("Traceback")


def test_findings_are_text_on_standard_output_and_the_gate_decides_the_exit_code(desk):
    ended = desk.spark(*ALONE, cold=True)
    assert (ended.code, ended.err) == (0, "")
    assert "a.py:5" in ended.out
    assert "Undefined name" in ended.out
    assert desk.spark(*ALONE, "--fail-on", "high").code == 1
    assert desk.spark(*ALONE, "--fail-on", "critical").code == 0
    assert desk.spark(*ALONE, "--fail-on", "never").code == 0


def test_without_a_key_analyzers_review_alone_and_it_is_said(desk):
    ended = desk.spark("review")
    assert ended.code == 0
    assert "No API key is set (SPARK_API_KEY)" in ended.out
    assert "Undefined name" in ended.out


@pytest.mark.parametrize("name", ["json", "sarif"])
def test_data_formats_put_nothing_else_on_standard_output(desk, name):
    ended = desk.spark(*ALONE, "--format", name)
    document = json.loads(ended.out)
    assert ended.err == ""
    assert document["schema" if name == "json" else "version"] in {1, "2.1.0"}
    assert "Undefined name" in ended.out


@pytest.mark.parametrize("name", ["text", "json", "sarif", "markdown", "html"])
def test_every_format_can_be_written_to_a_file_while_the_terminal_shows_the_review(desk, name):
    (desk.path / "report").write_text("old")
    (desk.path / "report").chmod(0o600)
    ended = desk.spark(*ALONE, "--format", name, "--output", "report")
    assert ended.code == 0
    text = (desk.path / "report").read_text()
    assert "Undefined name" in text
    assert "\x1b" not in text
    assert "wrote report" in ended.err
    live = ended.out if name == "text" else ended.err
    assert "Undefined name" in live
    assert name == "text" or ended.out == ""
    assert (desk.path / "report").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in desk.path.iterdir()) == [".git", "README.md", "a.py", "report"]


def test_a_dash_is_standard_output_and_a_device_is_written_in_place(desk):
    assert json.loads(desk.spark(*ALONE, "--format", "json", "--output", "-").out)["schema"] == 1
    assert desk.spark(*ALONE, "--format", "json", "--output", "/dev/null").code == 0


def test_a_diff_from_standard_input(desk):
    diff = subprocess.run(["git", "diff", "main", "work"], cwd=desk.path, env=desk.env, capture_output=True, check=True)
    ended = desk.spark(*ALONE, "--diff", "-", "--fail-on", "high", stdin=diff.stdout)
    assert ended.code == 1
    assert "a.py:5" in ended.out


def test_something_that_is_no_diff_is_refused(desk):
    ended = desk.spark(*ALONE, "--diff", "-", stdin=b"<html><body>502 Bad Gateway</body></html>")
    assert ended.code != 0
    assert ended.err.count("\n") == 1


def test_staged_changes(desk):
    (desk.path / "b.py").write_text("print(gone)\n")
    desk.git("add", "b.py")
    ended = desk.spark(*ALONE, "--staged", "--format", "json")
    assert [finding["path"] for finding in json.loads(ended.out)["findings"]] == ["b.py"]


def test_a_sarif_file_is_merged(desk):
    location = {"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 4}}}
    document = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "checker"}}, "results": [
        {"ruleId": "X", "level": "error", "message": {"text": "From the checker."}, "locations": [location]}]}]}  # fmt: skip
    (desk.path / "x.sarif").write_text(json.dumps(document))
    found = json.loads(desk.spark(*ALONE, "--sarif", "x.sarif", "--format", "json").out)["findings"]
    assert "sarif:checker" in {finding["source"] for finding in found}


def test_the_bases_configuration_counts_and_config_can_stand_for_it(desk):
    desk.git("checkout", "--quiet", "main")
    desk.commit(_dot_github__spark_dot_yml="gate:\n  fail_on: high\n")
    desk.git("checkout", "--quiet", "work")
    desk.git("rebase", "--quiet", "main")
    assert desk.spark(*ALONE).code == 1
    assert desk.spark(*ALONE, "--fail-on", "never").code == 0
    (desk.path / "mine.yml").write_text("paths:\n  ignore: ['*.py']\n")
    assert desk.spark(*ALONE, "--config", "mine.yml").code == 0
    (desk.path / "mine.yml").write_text("gates:\n  fail_on: high\n")
    ended = desk.spark(*ALONE, "--config", "mine.yml")
    assert ended.code == 2
    assert ended.err.startswith("spark: mine.yml:1: gates: unknown key")


def test_what_is_no_diff_is_the_users_mistake(desk):
    ended = desk.spark(*ALONE, "--diff", "-", stdin=b"<!doctype html><html><body>Sign in</body></html>")
    assert ended.code == 2
    assert ended.err.startswith("spark: This is a web page, not a diff")


def test_without_a_model_only_the_files_that_were_to_be_reviewed_count(desk):
    desk.commit(poetry_dot_lock="x\n")
    ended = desk.spark(*ALONE)
    assert "coverage: No model looked at the 1 hunk in 1 file; 1 file skipped." in ended.out
    page = desk.spark(*ALONE, "--format", "html").out
    assert "2 files, <span" in page


def test_an_empty_branch_says_what_else_could_be_meant(desk):
    desk.git("checkout", "--quiet", "main")
    ended = desk.spark(*ALONE)
    assert ended.code == 0
    assert "nothing differs in main...HEAD; name a range such as HEAD~1, or use --staged" in ended.err


def test_config_check(desk):
    (desk.path / "good.yml").write_text("review:\n  effort: deep\n")
    assert desk.spark("config", "check", "good.yml").out == "good.yml: valid\n"
    (desk.path / "bad.yml").write_text("reviews:\n  effort: deep\ngate:\n  fail_on: hig\n")
    ended = desk.spark("config", "check", "bad.yml")
    assert ended.code == 2
    assert [line.partition(" ")[0] for line in ended.out.splitlines()] == ["bad.yml:1:", "bad.yml:4:"]
    assert desk.spark("config", "check", "-", stdin=b"gate: [").out.startswith("standard input:")
    assert desk.spark("config", "check", "-", stdin=b"\xff").err == (
        "spark: standard input is not UTF-8 (byte 0). Save it as UTF-8.\n"
    )


def test_an_env_file_of_the_current_directory_is_read(desk):
    (desk.path / ".env").write_text("SPARK_STREAMS=none\n")
    assert desk.spark(*ALONE).err.startswith("spark: SPARK_STREAMS is 'none'")
    (desk.path / "sub").mkdir()
    here, desk.path = desk.path, desk.path / "sub"
    assert desk.spark(*ALONE).code == 0, "only the current directory's file counts"
    desk.path = here


def test_a_reader_that_goes_away_ends_the_command_quietly(desk):
    process = desk.start(*ALONE, cold=True)
    assert process.stdout is not None
    process.stdout.close()
    process.stdin.close()
    assert process.wait(timeout=60) == 130
    assert process.stderr.read() == b""
    process.stderr.close()


def test_ctrl_c_ends_with_130_and_one_line(desk):
    pipe = desk.path / "pipe"
    os.mkfifo(pipe)
    process = desk.start(*ALONE, "--diff", "pipe", cold=True)
    writer = open_when_read(pipe)
    # A signal between Python's last look and the read itself is seen after the read alone; a person presses again.
    assert any(interrupted(process) for _ in range(10))
    _, err = process.communicate(timeout=60)
    os.close(writer)
    assert process.returncode == 130
    assert err == b"spark: interrupted\n"


def interrupted(process):
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        return False
    return True


def open_when_read(pipe, seconds=30.0):
    """The writing end of a named pipe, which can be opened as soon as somebody reads from the other."""
    end = time.monotonic() + seconds
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > end:
                raise
            time.sleep(0.01)


def test_a_narrow_encoding_does_not_stop_a_review(desk):
    desk.commit(b_dot_py='s = "ünï → 😀"\nprint(s, gone)\n')
    ended = desk.spark(*ALONE, cold=True, PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
    assert ended.code == 0
    assert "b.py:2" in ended.out
    assert os.linesep in ended.out


def test_a_command_is_the_same_whether_it_is_forked_or_starts_an_interpreter(desk):
    """The other tests fork theirs: see `tests/helpers/warm.py`."""
    arguments = ("review", "--diff", "-", "--no-model", "--format", "json", "--fail-on", "high")
    diff = subprocess.run(["git", "diff", "main", "work"], cwd=desk.path, env=desk.env, capture_output=True, check=True)
    forked, own = (desk.spark(*arguments, stdin=diff.stdout, cold=cold) for cold in (False, True))
    assert (forked.code, forked.err) == (own.code, own.err)
    first, second = json.loads(forked.out), json.loads(own.out)
    assert first.pop("timing").keys() == second.pop("timing").keys()
    assert first == second
    assert forked.code == 1
