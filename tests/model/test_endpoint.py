"""Settings to an endpoint: presets, URLs, keys."""

from __future__ import annotations

import pytest

from bot.errors import ConfigError, CredentialsError
from bot.model.endpoint import PRESETS, Api, Endpoint, key_names, read_endpoint


def read(place: str, *, model: str = "m", api: str = "chat", **keys: str) -> Endpoint:
    return read_endpoint(place, model=model, api=api, keys=keys)


def test_each_preset_is_an_endpoint_by_its_name() -> None:
    for name, preset in PRESETS.items():
        endpoint = read(name.upper(), **{preset.key_env: "k"})
        assert (endpoint.base_url, endpoint.preset, endpoint.key) == (preset.base_url, name, "k")
        assert endpoint.key_source == preset.key_env


def test_a_presets_url_is_known_as_the_preset() -> None:
    assert read("https://api.cerebras.ai/v1/", SPARK_API_KEY="k").preset == "cerebras"
    assert read("https://llm.example.com/v1", SPARK_API_KEY="k").preset == ""


def test_our_own_key_goes_before_the_providers() -> None:
    endpoint = read("groq", SPARK_API_KEY="ours", GROQ_API_KEY="theirs", OPENAI_API_KEY="other")
    assert (endpoint.key, endpoint.key_source) == ("ours", "SPARK_API_KEY")
    assert read("groq", SPARK_API_KEY=" ", GROQ_API_KEY="theirs").key == "theirs"
    assert key_names("groq") == ("SPARK_API_KEY", "GROQ_API_KEY", "OPENAI_API_KEY")
    assert key_names("") == ("SPARK_API_KEY", "OPENAI_API_KEY")


def test_a_place_that_needs_a_key_says_which_settings_hold_one() -> None:
    with pytest.raises(CredentialsError, match="SPARK_API_KEY or CEREBRAS_API_KEY"):
        read("cerebras")
    assert read("ollama").key is None
    assert read("http://127.0.0.1:8080/v1").key is None


@pytest.mark.parametrize(
    "place", ["", "cerebra", "api.openai.com/v1", "ftp://x/v1", "http://", "https://me:secret@x/v1"]
)
def test_a_place_that_is_none_is_named_with_its_setting(place: str) -> None:
    with pytest.raises(ConfigError, match="SPARK_BASE_URL") as caught:
        read(place)
    assert "secret" not in str(caught.value)


def test_an_api_that_is_none_or_not_served_is_named_with_its_setting() -> None:
    with pytest.raises(ConfigError, match="SPARK_API is 'soap'"):
        read("openai", api="soap", SPARK_API_KEY="k")
    with pytest.raises(ConfigError, match="SPARK_API is responses, which cerebras does not serve"):
        read("cerebras", api="responses", SPARK_API_KEY="k")
    assert read("openai", api="Responses", SPARK_API_KEY="k").api is Api.RESPONSES
    with pytest.raises(ConfigError, match="SPARK_MODEL"):
        read("ollama", model=" ")


def test_a_key_that_cannot_be_a_header_is_refused_without_showing_it() -> None:
    with pytest.raises(CredentialsError, match="SPARK_API_KEY has characters") as caught:
        read("openai", SPARK_API_KEY="sk-abc\ndef")
    assert "sk-abc" not in str(caught.value)


def test_the_key_is_not_in_the_repr() -> None:
    assert "sk-abc" not in repr(read("openai", SPARK_API_KEY="sk-abc"))


def test_the_words_for_little_reasoning_fit_the_model() -> None:
    assert read("cerebras", model="gpt-oss-120b", SPARK_API_KEY="k").efforts == ("low",)
    assert read("groq", model="openai/gpt-oss-20b", SPARK_API_KEY="k").efforts == ("low",)
    assert read("openai", model="gpt-5.3-codex-spark", SPARK_API_KEY="k").efforts == ("low",)
    assert read("openai", model="gpt-5", SPARK_API_KEY="k").efforts[0] == "none"
    assert read("http://127.0.0.1:1/v1").efforts == ("none", "low")
