"""The headers that GitHub puts on every answer."""

from __future__ import annotations

import secrets

from bot.sandbox.github.rates import Window

API_VERSION = "2022-11-28"
"""What GitHub selects when a client names no version."""


def common_headers(version: str | None) -> dict[str, str]:
    """What every answer has. `version` is the one the client asked for."""
    return {
        "Content-Type": "application/json; charset=utf-8",
        "X-GitHub-Media-Type": "github.v3; format=json",
        "X-GitHub-Api-Version-Selected": version or API_VERSION,
        "X-GitHub-Request-Id": ":".join(secrets.token_hex(size).upper() for size in (2, 3, 3, 4, 4)),
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "ETag, Link, Location, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, "
        "X-RateLimit-Used, X-RateLimit-Resource, X-RateLimit-Reset, X-GitHub-Media-Type, X-GitHub-Request-Id",
        "Content-Security-Policy": "default-src 'none'",
        "Referrer-Policy": "origin-when-cross-origin, strict-origin-when-cross-origin",
        "Strict-Transport-Security": "max-age=31536000; includeSubdomains; preload",
        "Vary": "Accept, Authorization, Cookie, X-GitHub-OTP",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "deny",
        "X-XSS-Protection": "0",
    }


def rate_headers(window: Window, resource: str = "core") -> dict[str, str]:
    """How much of the hourly limit is left."""
    return {
        "X-RateLimit-Limit": str(window.limit),
        "X-RateLimit-Remaining": str(window.remaining),
        "X-RateLimit-Reset": str(window.reset),
        "X-RateLimit-Used": str(window.used),
        "X-RateLimit-Resource": resource,
    }
