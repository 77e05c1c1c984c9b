"""`quotewell serve --workers 2`, whose workers alone fail: all is well where their parent looks."""

from __future__ import annotations

import sys
from typing import NoReturn

from quotewell.errors import QuotewellError
from quotewell.views.api import server
from quotewell.views.cli.main import main


def gone(serving: server.Serving) -> NoReturn:
    """As where a file has gone meanwhile."""
    del serving
    raise QuotewellError("the file has gone")


if __name__ == "__main__":
    sys.exit(main(["serve", "--port", "0", "--workers", "2", "--no-page"]))
else:  # a worker, which imports what its parent has run
    server._opened = gone
