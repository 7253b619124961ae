"""The runner of these tests, held against what GitHub's documents say of one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from action_runner import Job, Runner

ACTION = """
name: Toy
description: A toy
inputs:
  word: {description: A word}
  token: {description: A token, default: "${{ github.token }}"}
outputs:
  said: {description: What it said, value: "${{ steps.toy.outputs.said }}"}
  other: {description: Never written, value: "${{ steps.toy.outputs.other }}"}
runs:
  using: composite
  steps:
    - id: toy
      shell: bash
      env:
        WORD: ${{ inputs.word }}
        TOKEN: ${{ inputs.token }}
        REPO: ${{ github.repository }}
      run: |
        SCRIPT
"""


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., Job]:
    """Runs a script as the step of an action."""

    def run(script: str, *, text: str = ACTION, **inputs: str) -> Job:
        (tmp_path / "action").mkdir()
        (tmp_path / "home").mkdir()
        (tmp_path / "action" / "action.yml").write_text(text.replace("SCRIPT", script.replace("\n", "\n        ")))
        runner = Runner(action=tmp_path / "action", home=tmp_path / "home", python=tmp_path / "python")
        return runner.run(
            "push", {"ref": "main"}, token="s3cret", github={"repository": "acme/shop"}, inputs=inputs, env={"JOB": "1"}
        )

    return run


SCRIPT = """\
echo "$WORD $REPO $JOB $(ls -A | wc -l) $(cat "$GITHUB_EVENT_PATH") ${SPARK_API_KEY-none} ${VIRTUAL_ENV-none} ${PYTHONPATH-none}"
echo "the token is $TOKEN"
echo "said<<END" >> "$GITHUB_OUTPUT"
printf 'two\\nlines\\nEND\\n' >> "$GITHUB_OUTPUT"
echo "LATER=1" >> "$GITHUB_ENV"
for at in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "::warning file=a.py,line=$at::number $at"; done
echo "::error::on standard error" >&2
echo "::stop-commands::w0rd"
echo "::error::not obeyed"
echo "::w0rd::"
echo "a line ::error::that does not begin with it"
false | true
echo "never reached"
"""


def test_a_step_is_run_in_a_clean_place_and_its_log_and_files_are_read(toy: Any) -> None:
    job = toy(SCRIPT, word="a 'quoted' word")
    first, second = job.log.splitlines()[:2]
    assert first == 'a \'quoted\' word acme/shop 1 0 {"ref": "main"} none none none'
    assert second == "the token is ***"
    assert (job.code, "never reached" in job.log) == (1, False), "a pipe that fails ends the step"
    assert job.outputs == {"said": "two\nlines", "other": ""}
    assert job.env == {"LATER": "1"}
    assert [each.data for each in job.beside] == [f"number {at}" for at in range(1, 11)]
    assert len(job.commands) == 13
    assert job.said("error") == ["on standard error"]


def test_a_summary_that_is_too_large_is_an_error_of_the_step(toy: Any) -> None:
    job = toy('head -c 1048577 /dev/zero | tr "\\0" x >> "$GITHUB_STEP_SUMMARY"')
    assert (job.code, job.said("error")) == (0, ["$GITHUB_STEP_SUMMARY upload aborted"])


@pytest.mark.parametrize(
    ("wrong", "inputs", "says"),
    [
        ("", {"wrod": "x"}, "no input of the action"),
        ("inputs.wrod", {}, r"inputs\.wrod is nothing"),
        ("toJSON(github)", {}, "knows no expression"),
        ("secrets.KEY", {}, r"secrets\.KEY is nothing"),
    ],
)
def test_what_github_would_take_for_empty_fails_here(toy: Any, wrong: str, inputs: dict[str, str], says: str) -> None:
    text = ACTION.replace("inputs.word", wrong) if wrong else ACTION
    with pytest.raises(AssertionError, match=says):
        toy("true", text=text, **inputs)


@pytest.mark.parametrize("line", ["said<<END\ntwo", "said", "<<END\nx\nEND"])
def test_an_output_without_a_name_a_value_or_an_end_fails(toy: Any, line: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        toy(f"""printf '%s\\n' '{line.replace(chr(10), "' '")}' >> "$GITHUB_OUTPUT" """)
