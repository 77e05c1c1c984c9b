"""Isolate the symbol that makes a batch fail: halve the batch, within a bounded number of requests."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from quotewell.errors import ProviderError
from quotewell.providers.transport import StatusError

__all__ = ["Halved", "ask_in_halves"]

T = TypeVar("T")

_ISOLATED = frozenset(("server", "invalid", "unknown"))
_SPARE_REQUESTS = 4
_NOT_FOUND = 404


class Halved(msgspec.Struct, Generic[T]):
    """What the pieces of a batch brought."""

    answers: list[tuple[tuple[str, ...], T]]
    """The symbols of each piece that was answered, with its answer."""
    failed: dict[str, ProviderError]
    """Why the rest was not."""


def ask_in_halves(symbols: Sequence[str], ask: Callable[[tuple[str, ...]], T]) -> Halved[T]:
    """Ask for a batch; if an HTTP status of 400 or above refuses it, ask for its halves, and so on.

    Statuses that no smaller batch would mend (401 to 403, 429, a 404 that names no symbol), broken
    connections and time-outs end it at once. So does a 5xx for the batch and both of its halves: then it is
    the server, not a symbol; and a 4xx for the batch, its halves and its quarters: then it is the request.
    One bad symbol among n costs at most 2·log2(n) more requests; with several bad ones it stops 4 requests
    later, and the pieces that were not asked again keep the error of the piece they came from.

    Args:
        symbols: The batch.
        ask: Sends one request.

    Raises:
        ProviderError: If no piece was answered.
    """
    whole = tuple(symbols)
    try:
        return Halved([(whole, ask(whole))], {})
    except StatusError as error:
        first = error
        if len(whole) == 1 or not _may_be_a_symbol(error):
            raise
    halved: Halved[T] = Halved([], {})
    left = 2 * math.ceil(math.log2(len(whole))) + _SPARE_REQUESTS
    pieces: deque[tuple[tuple[str, ...], ProviderError]] = deque((half, first) for half in _halves(whole))
    ended: ProviderError | None = None
    asked = 0
    while pieces:
        piece, before = pieces.popleft()
        if ended is None and not halved.answers and asked == (2 if first.failure == "server" else 6):
            ended = first
        if ended is not None or asked >= left:
            halved.failed.update(dict.fromkeys(piece, ended or before))
            continue
        asked += 1
        try:
            halved.answers.append((piece, ask(piece)))
        except ProviderError as error:
            if not _may_be_a_symbol(error):
                ended = error
            if ended is None and len(piece) > 1:
                pieces.extend((half, error) for half in _halves(piece))
            else:
                halved.failed.update(dict.fromkeys(piece, error))
    if not halved.answers:
        raise ended or first
    return halved


def _halves(symbols: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    middle = (len(symbols) + 1) // 2
    return symbols[:middle], symbols[middle:]


def _may_be_a_symbol(error: ProviderError) -> bool:
    if not isinstance(error, StatusError) or error.failure not in _ISOLATED:
        return False
    return error.status != _NOT_FOUND or error.failure == "unknown"
