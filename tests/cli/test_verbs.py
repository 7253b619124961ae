"""Verbs and the packages that come with extras."""

from __future__ import annotations

import sys

import pytest

from bot import cli
from bot.__main__ import main


def test_a_verb_whose_extra_is_missing_names_the_package_and_how_to_install_it(monkeypatch, capsys):
    for module in [name for name in sys.modules if name.startswith(("bot.cli.demo", "bot.sandbox", "flask"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "flask", None)
    assert main(["demo"]) == 2
    told = capsys.readouterr().err
    assert "spark demo needs the package flask" in told
    assert "spark-review[cli,server,sandbox]" in told


@pytest.mark.parametrize("name", cli.VERBS)
def test_every_verb_has_help(name, capsys):
    assert main([name, "--help"]) == 0
    assert f"usage: spark {name}" in capsys.readouterr().out
