import re
from pathlib import Path

import pytest
import yaml

from bot.action.inputs import INPUTS, Inputs, read_inputs, variable
from bot.errors import ConfigError
from bot.review.model import Effort, Severity

ACTION = yaml.safe_load((Path(__file__).parents[2] / "action.yml").read_text())


def given(**values: str) -> Inputs:
    return read_inputs({variable(name.replace("_", "-")): value for name, value in values.items()})


def test_the_action_file_its_environment_and_the_inputs_name_the_same_things() -> None:
    (step,) = ACTION["runs"]["steps"]
    mapped = {variable(name): f"${{{{ inputs.{name} }}}}" for name in INPUTS}
    assert list(ACTION["inputs"]) == list(INPUTS)
    assert step["env"] == mapped
    assert {name.replace("-", "_") for name in INPUTS} | {"never_fail"} == set(Inputs.__dataclass_fields__)


def test_the_defaults_of_the_action_file_are_those_of_a_run_that_is_given_nothing() -> None:
    defaults = {name: one["default"] for name, one in ACTION["inputs"].items() if "default" in one}
    token = defaults.pop("github-token")
    assert token == "${{ github.token }}"
    assert read_inputs({variable(name): value for name, value in defaults.items()}) == read_inputs({}) == Inputs()


def test_every_output_of_the_action_file_is_an_output_of_its_one_step() -> None:
    for name, output in ACTION["outputs"].items():
        assert output["value"] == f"${{{{ steps.spark.outputs.{name} }}}}"


def test_no_input_is_written_into_a_script() -> None:
    assert all("${{" not in step["run"] for step in ACTION["runs"]["steps"])


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("fail_on", "hihg", "one of critical, high, medium, low, never"),
        ("effort", "fast", "one of instant, standard, deep"),
        ("post", "yes", "true or false"),
        ("require_coverage", "1", "true or false"),
        ("require_key", "TRUE", "true or false"),
        ("max_usd", "cheap", "an amount in US dollars, such as 0.50"),
        ("pull", "0", "the number of a pull request"),
        ("pull", "#7", "the number of a pull request"),
        ("config", "../spark.yml", "a path in the repository, such as .github/spark.yml"),
    ],
)
def test_a_value_that_cannot_be_meant_names_its_input_and_what_it_may_be(name: str, value: str, wanted: str) -> None:
    named = f"the input {name.replace('_', '-')} is {value!r}. Set it to {wanted}."
    with pytest.raises(ConfigError, match=f"^{re.escape(named)}$"):
        given(**{name: value})


def test_what_is_given_is_read() -> None:
    inputs = given(fail_on="high", effort="deep", post="false", pull="7", max_usd="$0.5", require_coverage="true")
    assert inputs.fail_on is Severity.HIGH
    assert inputs.effort is Effort.DEEP
    assert (inputs.post, inputs.pull, inputs.max_usd, inputs.require_coverage) == (False, 7, 0.5, True)
    assert given(fail_on="never").never_fail
    assert not given(fail_on="low").never_fail


def test_lists_are_one_a_line_and_blank_lines_are_none() -> None:
    inputs = given(paths_ignore="docs/**\n\n  *.md \n", analyzer_sarif="a.sarif\nb.sarif")
    assert inputs.paths_ignore == ("docs/**", "*.md")
    assert inputs.analyzer_sarif == (Path("a.sarif"), Path("b.sarif"))


def test_secrets_do_not_show_themselves() -> None:
    assert "hush" not in repr(given(api_key="hush", github_token="hush"))
