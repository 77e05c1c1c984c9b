"""`MarketSimulator`: market data providers on this machine, from an invented market, with faults on command.

`python -m quotewell.testing.simulator --symbols AAPL,MSFT` runs one for other programs.
"""

from __future__ import annotations

from quotewell.testing.simulator.faults import FAULTS, Fault
from quotewell.testing.simulator.instruments import Instrument
from quotewell.testing.simulator.market import Listing, Market
from quotewell.testing.simulator.server import LoggedRequest, MarketSimulator

__all__ = ["FAULTS", "Fault", "Instrument", "Listing", "LoggedRequest", "Market", "MarketSimulator"]
