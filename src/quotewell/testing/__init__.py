"""What tests of programs that use quotewell need: time under control, failing levels, a simulated market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quotewell.testing.clock import ManualClock
from quotewell.testing.levels import BrokenLevel
from quotewell.testing.provider import FakeProvider

if TYPE_CHECKING:
    from quotewell.testing.simulator import Market, MarketSimulator
    from quotewell.testing.source import FakeSource

__all__ = ["BrokenLevel", "FakeProvider", "FakeSource", "ManualClock", "Market", "MarketSimulator"]


def __getattr__(name: str) -> Any:
    """The simulator needs numpy, which other tests need not wait for."""
    if name in ("Market", "MarketSimulator"):
        from quotewell.testing import simulator  # noqa: PLC0415

        return getattr(simulator, name)
    if name == "FakeSource":
        from quotewell.testing.source import FakeSource  # noqa: PLC0415

        return FakeSource
    raise AttributeError(f"module 'quotewell.testing' has no attribute {name!r}")
