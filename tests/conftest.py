"""What holds for all tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from quotewell import wiring
from quotewell.freshness import session_table


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What may take longest begins first, so that two workers end together."""
    items.sort(key=_seconds_allowed, reverse=True)


def _seconds_allowed(item: pytest.Item) -> float:
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark else 0.0


class _PlainCalendars:
    def __init__(self, engine: object) -> None:
        del engine

    table_of = staticmethod(session_table)


@pytest.fixture(autouse=True)
def plain_calendars(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `Settings(calendars="plain")`: a fetch that imports pandas outlasts a `ManualClock`'s patience.

    A module that tests the exchanges' own sessions overrides this fixture.
    """
    monkeypatch.setattr(wiring, "ExchangeSessions", _PlainCalendars)


@pytest.fixture(scope="session", autouse=True)
def shared_servers_end() -> Iterator[None]:
    """A server that many tests have used ends with the last of them; most runs have none."""
    yield
    module = sys.modules.get("postgres_server")
    if module is not None:
        module.end_shared_server()
