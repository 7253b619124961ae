"""A rule-based stand-in for a reviewing model."""

from __future__ import annotations

from bot.sandbox.endpoint.answers import Answer, EndpointRequest, Script


def reviewer() -> Script:
    """The default brain."""

    def script(_request: EndpointRequest) -> Answer:
        return Answer(text='{"none": true}\n{"end": true}\n')

    return script
