"""What tests of programs that use quotewell need: time under control, and levels that fail on demand."""

from __future__ import annotations

from quotewell.testing.clock import ManualClock
from quotewell.testing.levels import BrokenLevel
from quotewell.testing.provider import FakeProvider

__all__ = ["BrokenLevel", "FakeProvider", "ManualClock"]
