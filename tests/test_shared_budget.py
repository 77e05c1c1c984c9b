"""Hosts whose clocks differ share one budget, and get no more of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from coordinators import INTERVAL, LIMIT, NOON
from postgres_server import fresh_schema, shared_server
from quotewell.coordination import postgres, valkey
from quotewell.coordination.postgres import PostgresCoordinator
from quotewell.protocols import Coordinator
from quotewell.testing import ManualClock
from valkey_servers import own_prefix, valkey_coordinator


def two_in_postgres(*clocks: ManualClock) -> list[Coordinator]:
    schema = fresh_schema()
    return [PostgresCoordinator(shared_server().url(), clock, schema=schema) for clock in clocks]


def two_in_valkey(*clocks: ManualClock) -> list[Coordinator]:
    prefix = own_prefix()
    return [valkey_coordinator(clock, prefix=prefix) for clock in clocks]


PAIRS: dict[str, Callable[..., list[Coordinator]]] = {"postgres": two_in_postgres, "valkey": two_in_valkey}


@pytest.mark.parametrize("skew", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("common", [True, False])
@pytest.mark.parametrize("pair", PAIRS)
def test_hosts_whose_clocks_differ_get_no_more_than_the_limit(
    monkeypatch: pytest.MonkeyPatch, pair: str, common: bool, skew: float
) -> None:
    if not common:
        for module in (postgres, valkey):
            monkeypatch.setattr(module, "common_time", lambda budget, now: now)
    hosts = PAIRS[pair](ManualClock(now=NOON), ManualClock(now=NOON + skew))
    waits = []
    for _ in range(10):
        waits += [host.spend("yahoo", LIMIT, max_wait=math.inf).wait for host in hosts]
    expected = [max(0, number - 4) * INTERVAL for number in range(20)]
    # The first on the clock that is behind was granted before the other clock had been seen.
    assert all(wait >= least - skew - 1e-3 for wait, least in zip(waits, expected, strict=True)) == common
    for host in hosts:
        host.close()
