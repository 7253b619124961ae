"""Who sent a delivery: HMAC-SHA256 over the raw bytes, as GitHub signs. Never sees decoded text, never says why it failed.

Source: GitHub's docs, "Validating webhook deliveries"; their test vector is in the tests.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Final

_PREFIX: Final = "sha256="
_LENGTH: Final = len(_PREFIX) + 64


def sign(secret: str, body: bytes) -> str:
    """The value of `X-Hub-Signature-256`: `sha256=` and 64 lower-case hexadecimal digits."""
    return _PREFIX + hmac.digest(secret.encode(), body, "sha256").hex()


def verify(body: bytes, header: str | None, secrets: Sequence[str]) -> bool:
    """Whether one of `secrets` signed `body`; in constant time for headers of the right shape.

    Every secret is tried, whichever fits, so that the time does not tell an old secret from a new one. An empty secret
    fits nothing. Only the form that GitHub sends counts: upper-case digits, blanks and another algorithm are refused.
    """
    if header is None or len(header) != _LENGTH or not header.startswith(_PREFIX):
        return False
    # compare_digest refuses text that is not ASCII with an exception; bytes it compares whatever they are.
    given = header.encode("utf-8", "replace")
    fits = False
    for secret in secrets:
        fits |= hmac.compare_digest(sign(secret, body).encode(), given) and bool(secret)
    return fits
