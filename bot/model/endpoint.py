"""Where the model lives and how that place differs from others: URL, key, wire API, quirks.

Values only. Nothing here opens a connection or reads the environment; the key is handed in, with the name of the
setting it came from, and never shows in a `repr`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import urlsplit

from bot.errors import ConfigError, CredentialsError


class Api(StrEnum):
    """The wire API of an endpoint."""

    CHAT = "chat"
    RESPONSES = "responses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What is known of one provider."""

    base_url: str
    key_env: str
    """The variable its own documentation uses for the key."""
    needs_key: bool = True
    apis: frozenset[Api] = frozenset(Api)
    limit_name: str = "max_tokens"
    """What Chat Completions calls the limit of the answer there."""
    cache_key: bool = False
    """Whether `prompt_cache_key` may be sent."""
    obfuscates: bool = False
    """Whether chunks are padded against traffic analysis unless told not to; the padding doubles their size."""
    efforts: tuple[tuple[str, tuple[str, ...]], ...] = (("*", ("none", "low")),)
    """By pattern of the model's name: which words for little reasoning to try, in order."""


_GPT_OSS: Final = (("*gpt-oss*", ("low",)), ("*", ("none", "low")))
"""gpt-oss knows low, medium and high alone, wherever it is served."""

PRESETS: Final[Mapping[str, Preset]] = {
    "openai": Preset(
        base_url="https://api.openai.com/v1",
        key_env="OPENAI_API_KEY",
        limit_name="max_completion_tokens",
        cache_key=True,
        obfuscates=True,
        efforts=(("*codex*", ("low",)), ("*", ("none", "minimal", "low"))),
    ),
    "cerebras": Preset(
        base_url="https://api.cerebras.ai/v1",
        key_env="CEREBRAS_API_KEY",
        apis=frozenset({Api.CHAT}),
        limit_name="max_completion_tokens",
        efforts=_GPT_OSS,
    ),
    "groq": Preset(
        base_url="https://api.groq.com/openai/v1",
        key_env="GROQ_API_KEY",
        limit_name="max_completion_tokens",
        efforts=_GPT_OSS,
    ),
    "ollama": Preset(
        base_url="http://127.0.0.1:11434/v1",
        key_env="OLLAMA_API_KEY",
        needs_key=False,
        efforts=_GPT_OSS,
    ),
}
"""The names that `SPARK_BASE_URL` takes besides a URL."""

OTHER: Final = Preset(base_url="", key_env="SPARK_API_KEY", needs_key=False, efforts=_GPT_OSS)
"""Any other OpenAI-compatible URL. `max_tokens` is the limit's older name, which more servers heed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One model at one place."""

    base_url: str
    model: str
    api: Api = Api.CHAT
    key: str | None = field(default=None, repr=False)
    key_source: str = "SPARK_API_KEY"
    """The setting that the key came from, or that it should come from."""
    preset: str = ""
    """A name of `PRESETS`; empty for any other URL."""

    @property
    def quirks(self) -> Preset:
        """How this place differs from others."""
        return PRESETS.get(self.preset, OTHER)

    @property
    def efforts(self) -> tuple[str, ...]:
        """The words for little reasoning to try with this model, in order."""
        return next(words for pattern, words in self.quirks.efforts if fnmatchcase(self.model, pattern))


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """Waits in seconds, and the size of the connection pool."""

    connect_seconds: float = 5.0
    stall_seconds: float = 10.0
    """Silence in a stream after which it counts as stalled."""
    reasoning_seconds: float = 30.0
    """The same while nothing was said yet by a call that may reason: hidden reasoning is silent."""
    connections: int = 256
    keep_alive_seconds: float = 60.0
    """Idle connections are closed after this. The shortest limit that is usual on the other side, a load balancer's."""
    ahead: int = 8
    """Connections that `SparkModel.warm` has ready where they cost more than a moment: over TLS."""
    gather_seconds: float = 0.005
    """What a token may be late at most, so that one read takes several; 0 to be told of each at once."""


def read_endpoint(place: str, *, model: str, api: str, keys: Mapping[str, str]) -> Endpoint:
    """The endpoint that the settings name.

    `place` is a preset's name or a URL; `keys` are the variables that may hold a key (`key_names` lists them). A
    preset's own variable goes before `OPENAI_API_KEY`, and `SPARK_API_KEY` before both. Raises ConfigError naming
    `SPARK_BASE_URL`, `SPARK_API` or `SPARK_MODEL`, and CredentialsError when the place needs a key and there is none.
    """
    name, url = _place(place.strip())
    quirks = PRESETS.get(name, OTHER)
    if not model.strip():
        raise ConfigError("SPARK_MODEL is empty", remedy="Set it to the name of a model that the endpoint serves")
    try:
        wire = Api(api.strip().lower())
    except ValueError:
        raise ConfigError(f"SPARK_API is {api!r}", remedy="It takes chat or responses") from None
    if wire not in quirks.apis:
        raise ConfigError(f"SPARK_API is {wire}, which {name} does not serve", remedy="Set SPARK_API=chat")
    source = next((key_name for key_name in key_names(name) if keys.get(key_name, "").strip()), None)
    if source is None and quirks.needs_key:
        raise CredentialsError(f"{name} needs a key", remedy=f"Set SPARK_API_KEY or {quirks.key_env}")
    key = keys[source].strip() if source else None
    if key is not None and not (key.isascii() and key.isprintable()):
        raise CredentialsError(f"{source} has characters that no key has", remedy="Copy the key again")
    return Endpoint(
        base_url=url, model=model.strip(), api=wire, key=key, key_source=source or "SPARK_API_KEY", preset=name
    )


def key_names(preset: str) -> tuple[str, ...]:
    """The variables that may hold the key for a preset (empty for any other URL), the strongest first."""
    own = PRESETS[preset].key_env if preset in PRESETS else "SPARK_API_KEY"
    return tuple(dict.fromkeys(("SPARK_API_KEY", own, "OPENAI_API_KEY")))


def _place(place: str) -> tuple[str, str]:
    """Preset name (or empty) and base URL."""
    if place.lower() in PRESETS:
        return place.lower(), PRESETS[place.lower()].base_url
    url = place.rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        known = ", ".join(PRESETS)
        raise ConfigError(
            "SPARK_BASE_URL is neither a URL with http:// or https:// nor a known name",
            remedy=f"Known names are {known}",
        )
    if parts.username or parts.password:
        raise ConfigError("SPARK_BASE_URL has a user name or password in it", remedy="Put the key in SPARK_API_KEY")
    return next((name for name, preset in PRESETS.items() if preset.base_url == url), ""), url
