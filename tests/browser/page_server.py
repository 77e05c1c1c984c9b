"""The API and the page over a simulated Yahoo, in a process of its own: `page_server.py YAHOO_URL NOW`.

Prints the port as soon as it listens. The clock runs on from NOW (epoch seconds).
"""

from __future__ import annotations

import sys

import uvicorn

from quotewell.clock import ShiftedClock
from quotewell.settings import Settings
from quotewell.views import web
from quotewell.views.api.app import create_app
from quotewell.views.api.server import listen
from quotewell.views.uploads import Uploads
from quotewell.views.web import page
from quotewell.wiring import connect

_LIVE = 1.0
"""Seconds between two valuations: tests do not wait for a quarter of a minute."""


def main(yahoo_url: str, now: float) -> None:
    """Serve until the process is ended."""
    page.LIVE_EVERY = _LIVE
    settings = Settings(
        providers=("yahoo",),
        yahoo_base_url=yahoo_url,
        cache_url="memory://",
        calendars="plain",
        request_timeout=5.0,
    )
    with connect(settings, clock=ShiftedClock(now)) as tickers, listen("127.0.0.1", 0) as listening:
        uploads = Uploads(tickers)
        app = create_app(tickers, uploads)
        web.attach(app, tickers, uploads)
        print(listening.getsockname()[1], flush=True)  # noqa: T201  what the test waits for
        config = uvicorn.Config(app, log_level="warning", lifespan="on")
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
