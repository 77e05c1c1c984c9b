"""The coordinators that keep the contract, and what its tests share; a new one is one more line here."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from postgres_server import fresh_schema, shared_server
from quotewell.coordination.local import LocalCoordinator
from quotewell.coordination.postgres import PostgresCoordinator
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.coordination.standby import StandbyCoordinator
from quotewell.endpoints import Lane, Limit
from quotewell.errors import CacheError
from quotewell.protocols import Coordinator
from quotewell.testing import ManualClock
from valkey_servers import valkey_coordinator

NOON = 20_000 * 86_400.0 + 43_200.0
DAY = 86_400.0
WEEK = 7 * DAY
INTERVAL = 1.0 / (0.95 * 2.0)
"""Seconds between requests under `LIMIT`."""
LIMIT = Limit(rate=2.0, burst=5)


def never() -> Coordinator:
    raise CacheError("locked for ever")


def alone(clock: ManualClock) -> Coordinator:
    coordinator = StandbyCoordinator(never, clock)
    coordinator.told = True
    return coordinator


COORDINATORS: dict[str, Callable[[Path, ManualClock], Coordinator]] = {
    "local": lambda _, clock: LocalCoordinator(clock),
    "sqlite": lambda folder, clock: SqliteCoordinator(folder / "state.db", clock),
    "postgres": lambda _, clock: PostgresCoordinator(shared_server().url(), clock, schema=fresh_schema()),
    "standby": lambda folder, clock: StandbyCoordinator(
        lambda: SqliteCoordinator(folder / "state.db", clock), clock
    ),
    "valkey": lambda _, clock: valkey_coordinator(clock),
    "redis": lambda _, clock: valkey_coordinator(clock, program="redis"),
    "standby, alone": lambda _, clock: alone(clock),
}


def near(expected: Any) -> Any:
    """Equal but for the rounding of epoch seconds."""
    return pytest.approx(expected, abs=1e-5)


def waits(coordinator: Coordinator, times: int, lane: Lane = Lane.INTERACTIVE) -> list[float]:
    grants = [coordinator.spend("yahoo", LIMIT, lane=lane, max_wait=math.inf) for _ in range(times)]
    assert not any(grant.refused for grant in grants)
    return [grant.wait for grant in grants]
