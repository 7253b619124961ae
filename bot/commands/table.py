"""Which function carries out which command."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bot.commands import fix, handlers, talk, undo
from bot.commands.call import Handler
from bot.commands.model import Verb

HANDLERS: Final[Mapping[Verb, Handler]] = MappingProxyType(
    {
        Verb.REVIEW: handlers.review,
        Verb.FIX: fix.fix,
        Verb.UNDO: undo.undo,
        Verb.EXPLAIN: talk.explain,
        Verb.ASK: talk.ask,
        Verb.IGNORE: handlers.ignore,
        Verb.RESOLVE: handlers.resolve,
        Verb.PAUSE: handlers.pause,
        Verb.RESUME: handlers.resume,
        Verb.CONFIG: handlers.config,
        Verb.HELP: handlers.help_,
    }
)
