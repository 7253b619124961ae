"""App tokens: the JWT that an App signs, and the installation tokens it is given for it.

The stand-in keeps only the public half of a key. Refuses every algorithm but RS256.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from bot.sandbox.github.records import App, Installation, Principal

if TYPE_CHECKING:
    from bot.sandbox.github.world import World

_LONGEST_SECONDS = 600
"""A JWT may not live longer (docs: generating a JWT)."""
_SKEW_SECONDS = 1
TOKEN_SECONDS = 3600
"""An installation token's life (docs)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadJwt:
    """Why a JWT was refused, in GitHub's words."""

    message: str


def new_private_key() -> str:
    """A fresh RSA key in PEM, for tests and the demo."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@lru_cache(maxsize=16)
def public_half(pem: str) -> str:
    """The public key of a private or public key in PEM. ValueError for anything else."""
    raw = pem.encode()
    public = load_pem_private_key(raw, None).public_key() if b"PRIVATE" in raw else load_pem_public_key(raw)
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def looks_like_jwt(token: str) -> bool:
    """Whether a bearer token is an App's JWT and not an installation token, which has a prefix of its own."""
    return token.count(".") == 2 and token.startswith("ey")


def app_of_jwt(world: World, token: str) -> App | BadJwt:
    """The App that signed `token`."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return BadJwt(message="A JSON web token could not be decoded")
    app = world.apps.get(_app_id(claims.get("iss")))
    if app is None or not app.public_key:
        return BadJwt(message="'Issuer' claim ('iss') must be an Integer")
    try:
        jwt.decode(
            token,
            app.public_key,
            algorithms=["RS256"],
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except jwt.PyJWTError:
        return BadJwt(message="A JSON web token could not be decoded")
    return _in_time(claims, world.options.clock()) or app


def _app_id(issuer: object) -> int:
    return int(issuer) if isinstance(issuer, int) or (isinstance(issuer, str) and issuer.isdigit()) else -1


def _in_time(claims: Mapping[str, object], now: float) -> BadJwt | None:
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int | float) or issued > now + _SKEW_SECONDS:
        return BadJwt(
            message="'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        )
    if not isinstance(expires, int | float) or expires <= now:
        return BadJwt(
            message="'Expiration time' claim ('exp') must be a numeric value representing the future time at which the "
            "assertion expires"
        )
    if expires > now + _LONGEST_SECONDS + _SKEW_SECONDS:
        return BadJwt(message="'Expiration time' claim ('exp') is too far in the future")
    return None


def make_installation_token(
    world: World, installation: Installation, *, permissions: Mapping[str, str], repos: frozenset[str] | None
) -> tuple[str, Principal]:
    """A token for the installation. It has the form of 2026: `ghs_`, the App's id, and a part with dots."""
    token = f"ghs_{installation.app.id}_" + ".".join(secrets.token_urlsafe(120) for _ in range(3))
    principal = Principal(
        kind="installation",
        user=installation.app.bot,
        app=installation.app,
        installation=installation,
        permissions=dict(permissions),
        repos=repos,
        expires=world.options.clock() + TOKEN_SECONDS,
        key=f"installation:{installation.id}",
    )
    with world.lock:
        world.tokens[token] = principal
    return token, principal
