"""Settings: every variable, strictly; secrets that do not show; and a `.env` file that is not trusted with our keys."""

from __future__ import annotations

import dataclasses
import pprint

import pytest

from bot.errors import ConfigError
from bot.review.model import Effort
from bot.settings import KEY_VARIABLES, VARIABLES, Api, Settings, read_settings


def test_without_any_variable_the_defaults_of_the_contract_hold():
    settings = read_settings({})
    assert settings == Settings()
    assert (settings.model, settings.api, settings.base_url) == ("codex-spark-preview", Api.CHAT, "openai")
    assert (settings.deadline, settings.streams, settings.keys) == (120.0, 64, {})
    assert settings.github_api_url == "https://api.github.com"


def test_empty_values_count_as_not_set():
    assert read_settings(dict.fromkeys(VARIABLES, " ")) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("SPARK_BASE_URL", "cerebras", "base_url", "cerebras"),
        ("OPENAI_BASE_URL", "https://x.example/v1", "base_url", "https://x.example/v1"),
        ("SPARK_MODEL", " m ", "model", "m"),
        ("SPARK_API", "responses", "api", Api.RESPONSES),
        ("SPARK_EFFORT", "deep", "effort", Effort.DEEP),
        ("SPARK_DEADLINE", "7.5", "deadline", 7.5),
        ("SPARK_STREAMS", "8", "streams", 8),
        ("SPARK_PRICES", "m=1/2", "prices", "m=1/2"),
        ("SPARK_MAX_USD_PER_REVIEW", "0", "max_usd_per_review", 0.0),
        ("SPARK_MAX_USD_PER_DAY", "$20", "max_usd_per_day", 20.0),
        ("GITHUB_TOKEN", "ghs_x", "github_token", "ghs_x"),
        ("GITHUB_API_URL", "https://ghe.example/api/v3/", "github_api_url", "https://ghe.example/api/v3"),
        ("GITHUB_GRAPHQL_URL", "http://127.0.0.1:1/graphql", "github_graphql_url", "http://127.0.0.1:1/graphql"),
        ("GITHUB_SERVER_URL", "https://ghe.example", "github_server_url", "https://ghe.example"),
        ("SPARK_APP_ID", "Iv1.abc", "app_id", "Iv1.abc"),
        ("SPARK_APP_PRIVATE_KEY", "/etc/key.pem", "app_private_key", "/etc/key.pem"),
        ("SPARK_WEBHOOK_SECRET", "new, old", "webhook_secrets", ("new", "old")),
        ("SPARK_DATABASE_URL", "postgresql://u:p@h/d", "database_url", "postgresql://u:p@h/d"),
        ("SPARK_ALLOWED_REPOS", "o/*, p/q", "allowed_repos", ("o/*", "p/q")),
    ],
)
def test_each_variable_is_read(name, value, field, expected):
    assert getattr(read_settings({name: value}), field) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPARK_API", "chats"),
        ("SPARK_EFFORT", "max"),
        ("SPARK_DEADLINE", "0"),
        ("SPARK_DEADLINE", "-1"),
        ("SPARK_DEADLINE", "inf"),
        ("SPARK_DEADLINE", "two"),
        ("SPARK_STREAMS", "0"),
        ("SPARK_STREAMS", "1.5"),
        ("SPARK_STREAMS", "1001"),
        ("SPARK_MAX_USD_PER_REVIEW", "-0.1"),
        ("SPARK_MAX_USD_PER_DAY", "nan"),
        ("GITHUB_API_URL", "api.github.com"),
        ("GITHUB_API_URL", "https://user:password@x.example"),
        ("GITHUB_SERVER_URL", "ftp://x"),
        ("SPARK_APP_ID", "12 34"),
        ("SPARK_WEBHOOK_SECRET", "a,b,c"),
        ("SPARK_WEBHOOK_SECRET", "a,"),
        ("SPARK_ALLOWED_REPOS", "no-slash"),
    ],
)
def test_a_value_that_cannot_be_meant_names_its_variable_and_the_remedy(name, value):
    with pytest.raises(ConfigError) as caught:
        read_settings({name: value})
    assert str(caught.value).startswith(f"{name} is ")
    assert "Set it to " in caught.value.remedy
    assert caught.value.exit_code == 2


def test_a_malformed_secret_is_not_quoted():
    with pytest.raises(ConfigError) as caught:
        read_settings({"SPARK_WEBHOOK_SECRET": "hush1,hush2,hush3"})
    assert "hush" not in str(caught.value)


def test_no_key_shows_in_a_repr_or_a_dump_and_all_work_as_text():
    names = [*KEY_VARIABLES, "GITHUB_TOKEN", "SPARK_APP_PRIVATE_KEY", "SPARK_WEBHOOK_SECRET", "SPARK_DATABASE_URL"]
    settings = read_settings(dict.fromkeys(names, "visible-secret"))
    assert "visible-secret" not in repr(settings) + pprint.pformat(dataclasses.asdict(settings))
    assert settings.github_token == "visible-secret"
    assert f"Bearer {settings.keys['SPARK_API_KEY']}" == "Bearer visible-secret"


def test_keys_are_kept_with_the_variable_they_came_from():
    settings = read_settings({"OPENAI_API_KEY": "o", "GROQ_API_KEY": "g"})
    assert settings.keys == {"OPENAI_API_KEY": "o", "GROQ_API_KEY": "g"}


def test_the_environment_goes_before_the_file_and_both_names_of_a_variable_count(tmp_path):
    file = tmp_path / ".env"
    file.write_text("SPARK_MODEL=file\nSPARK_API_KEY='k$y#1'\nSPARK_BASE_URL=groq\nexport SPARK_EFFORT=deep # why\n")
    settings = read_settings({"SPARK_MODEL": "env", "OPENAI_BASE_URL": "ollama"}, dotenv=file)
    assert (settings.model, settings.effort, settings.base_url) == ("env", Effort.DEEP, "ollama")
    assert settings.keys == {"SPARK_API_KEY": "k$y#1"}


def test_a_missing_file_is_fine_and_a_broken_one_is_named(tmp_path):
    assert read_settings({}, dotenv=tmp_path / ".env") == Settings()
    assert read_settings({}, dotenv=tmp_path) == Settings()
    (tmp_path / ".env").write_bytes(b"SPARK_MODEL=\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"\.env cannot be read"):
        read_settings({}, dotenv=tmp_path / ".env")


def test_a_dollar_sign_in_the_file_is_no_variable(tmp_path):
    (tmp_path / ".env").write_text("SPARK_API_KEY=a${HOME}b\n")
    assert read_settings({}, dotenv=tmp_path / ".env").keys == {"SPARK_API_KEY": "a${HOME}b"}


@pytest.mark.parametrize(
    ("file", "env", "refused"),
    [
        ("SPARK_BASE_URL=https://evil.example/v1", {"SPARK_API_KEY": "k"}, "SPARK_BASE_URL"),
        ("OPENAI_BASE_URL=https://evil.example/v1", {"OPENAI_API_KEY": "k"}, "OPENAI_BASE_URL"),
        ("GITHUB_API_URL=https://evil.example", {"GITHUB_TOKEN": "t"}, "GITHUB_API_URL"),
        ("GITHUB_GRAPHQL_URL=https://evil.example", {"GITHUB_TOKEN": "t"}, "GITHUB_GRAPHQL_URL"),
        ("SPARK_BASE_URL=http://127.0.0.1.evil.example/v1", {"SPARK_API_KEY": "k"}, "SPARK_BASE_URL"),
        ("GITHUB_API_URL=https://evil.example", {"SPARK_APP_PRIVATE_KEY": "k"}, "GITHUB_API_URL"),
        ("SPARK_BASE_URL=http://127.0.0.1:8000/v1", {"SPARK_API_KEY": "k"}, None),
        ("SPARK_BASE_URL=groq", {"SPARK_API_KEY": "k"}, None),
        ("SPARK_BASE_URL=https://mine.example/v1\nSPARK_API_KEY=k", {}, None),
        ("SPARK_BASE_URL=https://evil.example/v1", {"SPARK_API_KEY": "k", "SPARK_BASE_URL": "openai"}, None),
        ("SPARK_BASE_URL=https://mine.example/v1", {"GITHUB_TOKEN": "t"}, None),
    ],
)
def test_a_strangers_env_file_cannot_send_our_keys_away(tmp_path, file, env, refused):
    (tmp_path / ".env").write_text(file + "\n")
    if refused is None:
        read_settings(env, dotenv=tmp_path / ".env")
        return
    with pytest.raises(ConfigError, match=rf"{refused} comes from the \.env file but .* from the environment"):
        read_settings(env, dotenv=tmp_path / ".env")


def test_a_misspelt_variable_is_told_and_other_programs_variables_are_not():
    settings = read_settings({"SPARK_MODLE": "x", "SPARK_API_KEYS": "x", "SPARK_HOME": "/opt/spark", "SPARK_LOCAL_IP": "::1",
                              "SPARK_CONF_DIR": "/etc", "SPARK_MASTER_HOST": "h"})  # fmt: skip
    assert settings.notices == (
        "SPARK_API_KEYS is no setting of Spark; did you mean SPARK_API_KEY?",
        "SPARK_MODLE is no setting of Spark; did you mean SPARK_MODEL?",
    )
