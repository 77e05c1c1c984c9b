"""`python -m quotewell`."""

from __future__ import annotations

from quotewell.views.cli.main import run

if __name__ == "__main__":
    run()
