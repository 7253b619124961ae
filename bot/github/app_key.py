"""The App's private key: read from what the settings say, used to sign the App's own short tokens, never shown."""

from __future__ import annotations

import re
import textwrap
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.errors import ConfigError
from bot.github import limits
from bot.review.ports import Clock, Stop

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_NAME: Final = "SPARK_APP_PRIVATE_KEY"
_REMEDY: Final = "Set it to the PEM text that GitHub gave for the App, or to the path of the .pem file"
_PEM: Final = re.compile(r"-----BEGIN ([A-Z ]+)-----(.*?)-----END \1-----", re.DOTALL)
_MOST_BYTES: Final = 100_000

WRONG_KEY: Final = "Check that SPARK_APP_ID and SPARK_APP_PRIVATE_KEY belong together, and this machine's clock"
"""The remedy when GitHub refuses what is signed with the key."""


class AppKey:
    """Use `read_key` to make one."""

    def __init__(self, key: RSAPrivateKey) -> None:
        self._key = key

    def sign(self, app_id: str, *, now: float) -> str:
        """The App's own token (a JWT, RS256) at `now`, in seconds since 1970; good for `limits.JWT_SECONDS`."""
        import jwt  # noqa: PLC0415 - loads cryptography

        issued = int(now)
        claims = {"iat": issued - limits.JWT_PAST_SECONDS, "exp": issued + limits.JWT_SECONDS, "iss": app_id}
        return jwt.encode(claims, self._key, algorithm="RS256")


class Signer:
    """The `Tokens` of the App itself: JWTs, each used for some minutes."""

    any = True
    remedy = WRONG_KEY

    def __init__(self, key: AppKey, app_id: str, *, clock: Clock, today: Callable[[], float]) -> None:
        self._key = key
        self._app_id = app_id
        self._clock = clock
        self._today = today
        self._lock = threading.Lock()
        self._made = ""
        self._ends = float("-inf")

    def take(self, stop: Stop) -> str:  # noqa: ARG002 - the protocol's
        """The App's own token, signed anew when its time is nearly over."""
        with self._lock:
            if self._ends - self._clock.now() < limits.JWT_LEAST_SECONDS:
                self._made = self._key.sign(self._app_id, now=self._today())
                self._ends = self._clock.now() + limits.JWT_SECONDS
            return self._made

    def refuse(self, token: str) -> bool:
        """One made this minute is refused for its key or its clock, and a new one would be, too."""
        with self._lock:
            fresh = self._ends - self._clock.now() > limits.JWT_SECONDS - limits.JWT_LEAST_SECONDS
            if token == self._made:
                self._ends = float("-inf")
            return not fresh


def read_key(value: str) -> AppKey:
    """The key in `value`: PEM text (line ends may be written as a backslash and n), or the path of a file with it.

    ConfigError says what is wrong with it, and never what it is.
    """
    found = _PEM.search(_plain(value))
    if found is None:
        found = _PEM.search(_plain(_read(value)))
    if found is None:
        raise ConfigError(f"{_NAME} names a file without a PEM key in it", remedy=_REMEDY)
    kind, inner = found[1], found[2]
    if "PUBLIC" in kind or "CERTIFICATE" in kind:
        raise ConfigError(f"{_NAME} is a {kind.lower()}", remedy=_REMEDY)
    if "ENCRYPTED" in kind or "ENCRYPTED" in inner:
        raise ConfigError(f"{_NAME} is locked with a passphrase", remedy="Set it to the key as GitHub gave it")
    return AppKey(_load(kind, inner))


def _plain(text: str) -> str:
    return text.replace("\\r", "").replace("\\n", "\n")


def _read(value: str) -> str:
    """The file of that name. Its name is not told either: what is no path may be part of a key."""
    try:
        path = Path(value.strip()).expanduser()
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("ascii", "replace")
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "no such name"
        raise ConfigError(
            f"{_NAME} is neither PEM text nor the path of a file that can be read ({why})", remedy=_REMEDY
        ) from None


@lru_cache(maxsize=2)
def _load(kind: str, inner: str) -> RSAPrivateKey:
    """OpenSSL proves the key's primes, which takes 60 ms: once for a server's check, its own client and its workers."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - loads OpenSSL
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    # Environments turn line ends into spaces, and editors indent.
    lines = "\n".join(textwrap.wrap("".join(inner.split()), 64))
    try:
        key = load_pem_private_key(f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n".encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"{_NAME} is damaged: it looks like a PEM key and cannot be read ({type(error).__name__})", remedy=_REMEDY
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError(f"{_NAME} is not an RSA key", remedy=_REMEDY)
    return key
