"""The level of the suites that hold for every one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from levels import LEVELS
from quotewell.protocols import Level
from quotewell.testing import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now=1_000_000.0)


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Iterator[Level]:
    level = LEVELS[request.param](tmp_path, clock)
    yield level
    level.close()
