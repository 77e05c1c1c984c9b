"""What the routes work with."""

from __future__ import annotations

from quotewell.refresh import Refresher
from quotewell.service import TickerService
from quotewell.views.api.hot import HotAnswers
from quotewell.views.api.jobs import Jobs
from quotewell.views.api.latencies import Latencies
from quotewell.views.api.work import Gathering, Work
from quotewell.views.uploads import Uploads

__all__ = ["PREFIX", "Context"]

PREFIX = "/api/v1"
"""Before the path of every route of the API."""


class Context:
    """One application's parts.

    Args:
        tickers: The service.
        uploads: The books.
        refresher: What keeps values fresh, if anything does.
        worker: What tells this process from others that answer the same; None if there are none.
    """

    def __init__(
        self, tickers: TickerService, uploads: Uploads, refresher: Refresher | None, worker: str | None
    ) -> None:
        self.tickers = tickers
        self.uploads = uploads
        self.refresher = refresher
        self.worker = worker
        self.work = Work()
        self.readings = Gathering(tickers, self.work)
        self.hot = HotAnswers(tickers)
        self.jobs = Jobs(tickers.clock)
        self.latencies = Latencies()

    def close(self) -> None:
        """End what goes on behind answers; the service is its owner's."""
        self.jobs.close()
        self.work.close()
