"""What the engine asks of those who know where missing values come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from quotewell.endpoints import Fetched, Lane
from quotewell.errors import ProviderError
from quotewell.records import FailureKind, Need

__all__ = ["AskAgainError", "Batch", "Loader", "Miss", "asks_again", "by_table", "miss_of"]


class AskAgainError(ProviderError):
    """An answer that only leads to another question to the same provider, whose outcome counts instead."""


class Miss(msgspec.Struct, frozen=True):
    """Why a need could not be met so far."""

    kind: FailureKind
    reason: str
    source: str
    retry_at: float | None = None
    error: Exception | None = None


class Batch(msgspec.Struct, frozen=True):
    """One step of work: `fetch` is given those of `needs` that are still missing, a lane and a deadline."""

    needs: tuple[Need, ...]
    source: str
    fetch: Callable[[Sequence[Need], Lane, float], Fetched]


class Loader(Protocol):
    """Where missing values come from."""

    concurrency: int
    """Batches at a time; 0 fetches in the calling thread, one after the other."""

    def batches(self, attempt: int, missing: Mapping[Need, Miss | None]) -> Sequence[Batch] | None:
        """The work of round `attempt` (0, 1, …) for what is still missing, with the reason so far.

        None ends the rounds; an empty sequence goes on to the next.
        """
        ...


def miss_of(need: Need, source: str, fetched: Fetched, before: Miss | None) -> Miss:
    """Why `need` is still missing after `source` has answered.

    "No such symbol" is believed only when no provider failed for another reason. That a fallback's quota was
    spared is told beside why it was needed.

    Args:
        need: What was asked.
        source: Who was asked.
        fetched: The answer.
        before: What stood in the way in earlier rounds.
    """
    error = fetched.failed.get(need)
    if before is not None and before.kind != "unknown" and not asks_again(before):
        if isinstance(error, ProviderError) and error.failure == "quota":
            return Miss("quota", f"{before.reason}; {source}: {error.reason}", source, None, error)
        return before
    if isinstance(error, ProviderError):
        return Miss(error.failure, error.reason, source, error.retry_at, error)
    if error is not None:
        return Miss("invalid", f"{type(error).__name__}: {error}", source, None, error)
    if need in fetched.unknown:
        return Miss("unknown", f"{source} knows no {need[1]} of {need[0]}", source)
    return Miss("omitted", f"{source} left {need[0]} out of its answer", source)


def asks_again(miss: Miss) -> bool:
    """Whether an answer leads to one more question to the same provider."""
    return miss.kind == "omitted" or isinstance(miss.error, AskAgainError)


def by_table(needs: Iterable[Need]) -> dict[str, list[str]]:
    """Needs grouped by table, in order."""
    grouped: dict[str, list[str]] = {}
    for key, table in needs:
        grouped.setdefault(table, []).append(key)
    return grouped
