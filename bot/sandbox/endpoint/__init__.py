"""An OpenAI-compatible endpoint on loopback: paced, scripted, faulty on demand. For the demo, tests and benchmarks.

It is no model. Its default script, `reviewer()`, finds some twenty well-known mistakes by rules.
"""

from bot.sandbox.endpoint.answers import (
    Answer,
    AnswerUsage,
    Api,
    EndpointRequest,
    FinishReason,
    Script,
    first_tries,
    fixed,
    sequence,
    when,
)
from bot.sandbox.endpoint.faults import Fault, FaultKind, RetryForm, parse_fault
from bot.sandbox.endpoint.log import Logged
from bot.sandbox.endpoint.options import EndpointOptions
from bot.sandbox.endpoint.process import endpoint_process
from bot.sandbox.endpoint.reviewer import reviewer
from bot.sandbox.endpoint.scripts import record, recorded, tokens
from bot.sandbox.endpoint.server import EndpointServer

__all__ = [
    "Answer",
    "AnswerUsage",
    "Api",
    "EndpointOptions",
    "EndpointRequest",
    "EndpointServer",
    "Fault",
    "FaultKind",
    "FinishReason",
    "Logged",
    "RetryForm",
    "Script",
    "endpoint_process",
    "first_tries",
    "fixed",
    "parse_fault",
    "record",
    "recorded",
    "reviewer",
    "sequence",
    "tokens",
    "when",
]
