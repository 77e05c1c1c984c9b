"""A server in a process of its own, hours after its cache was filled: `python api_process.py FOLDER URL AT`.

Prints its port, and answers until its input ends.
"""

from __future__ import annotations

import socket
import sys
import threading
import warnings
from pathlib import Path

import uvicorn

from quotewell.clock import ShiftedClock
from quotewell.errors import QuotewellWarning
from quotewell.settings import Settings
from quotewell.views.api.app import create_app
from quotewell.views.uploads import Uploads
from quotewell.wiring import connect

__all__ = ["settings_of"]


def settings_of(folder: Path, url: str) -> Settings:
    """As the server's; whoever fills its cache has the same."""
    return Settings(
        providers=("yahoo",),
        yahoo_base_url=url,
        yahoo_rate=1000.0,
        yahoo_burst=1000,
        cache_dir=folder,
        calendars="plain",
        request_timeout=1.0,
        connect_timeout=0.5,
    )


def main() -> None:
    """Serve."""
    warnings.simplefilter("ignore", QuotewellWarning)  # stale values are what is to be seen
    folder, url, at = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    with connect(settings_of(folder, url), clock=ShiftedClock(at)) as tickers:
        app = create_app(tickers, Uploads(tickers))
        config = uvicorn.Config(app, log_config=None, log_level="warning", access_log=False)
        server = uvicorn.Server(config)

        def end() -> None:
            sys.stdin.read()
            server.should_exit = True

        with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
            threading.Thread(target=end, daemon=True).start()
            sys.stdout.write(f"{listening.getsockname()[1]}\n")
            sys.stdout.flush()
            server.run(sockets=[listening])


if __name__ == "__main__":
    main()
