"""How a stand-in endpoint is set up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.sandbox.endpoint.answers import Script
from bot.sandbox.endpoint.faults import Fault
from bot.sandbox.endpoint.reviewer import reviewer


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointOptions:
    """Everything about one endpoint. The speed is per stream, however many there are."""

    script: Script = field(default_factory=reviewer)
    ttft: float = 0.150
    """Seconds from the request to the first token."""
    tps: float = 1000.0
    """Tokens per second."""
    models: tuple[str, ...] = ("codex-spark-preview", "spark-stand-in")
    """What `GET /v1/models` lists; any other name is a 404. Empty: every name is taken."""
    api_key: str | None = None
    """The one key that is accepted; None accepts all, and none at all."""
    context: int = 128_000
    """Tokens of input and output together."""
    rejects: frozenset[str] = frozenset()
    """Parameters answered with 400 `unsupported_parameter`, such as `max_tokens` or `stream_options`."""
    faults: Sequence[Fault | None] = ()
    """For the first, second, ... call for text; behind the last, none. An answer's own fault comes before it."""
    fault_rate: float = 0.0
    """Probability that a call meets one of `fault_pool`, drawn with `seed`."""
    fault_pool: tuple[Fault, ...] = ()
    seed: int = 0
    time_info: bool = False
    """Tell the endpoint's own timing in the last chunk, as Cerebras does."""
    obfuscates: bool = False
    """Pad chunks against traffic analysis unless told not to, as OpenAI does."""
    port: int = 0
    """0 takes a free one."""
    tick: float = 0.003
    """Seconds between two writes to a stream; all tokens due meanwhile go out in one write."""
