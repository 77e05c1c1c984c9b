"""Leases on needs, so that only one process fetches them; without a coordinator the work goes on."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable

from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.protocols import Coordinator
from quotewell.records import Need

__all__ = ["Leases"]


class Leases:
    """Takes and gives back leases; when the coordinator is out of order, everything is granted.

    Args:
        coordinator: Where leases are kept.
        seconds: How long a lease holds unless given back.
    """

    def __init__(self, coordinator: Coordinator, seconds: float) -> None:
        self._coordinator = coordinator
        self._seconds = seconds
        self._held: dict[str, str] = {}
        self._ended = False
        self._warned = False

    def take(self, needs: Iterable[Need], token: str) -> set[Need]:
        """The needs that `token` may fetch now."""
        names = {_name(need): need for need in needs}
        try:
            granted = self._coordinator.lease(names, token, self._seconds)
        except CacheError as error:
            self._go_without(error)
            return set(names.values())
        self._held.update(dict.fromkeys(granted, token))
        return {names[name] for name in granted}

    def give_back(self, needs: Iterable[Need], token: str) -> None:
        """End leases."""
        self._release([_name(need) for need in needs], token)

    def end(self) -> None:
        """Give back all that is held, so that nobody waits for what will not come, and say nothing more."""
        by_token: dict[str, list[str]] = {}
        for name, token in list(self._held.items()):
            by_token.setdefault(token, []).append(name)
        for token, names in by_token.items():
            self._release(names, token)
        self._ended = True

    def _release(self, names: Collection[str], token: str) -> None:
        for name in names:
            self._held.pop(name, None)
        try:
            self._coordinator.release(names, token)
        except CacheError as error:
            self._go_without(error)

    def _go_without(self, error: CacheError) -> None:
        if not self._warned and not self._ended:
            self._warned = True
            text = f"{error}; other processes may fetch the same symbols"
            warnings.warn(text, CacheDegradedWarning, stacklevel=2)


def _name(need: Need) -> str:
    return f"{need[1]}/{need[0]}"
