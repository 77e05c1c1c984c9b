"""Run the simulator until interrupted: `python -m quotewell.testing.simulator --symbols AAPL,MSFT`."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence

from quotewell.testing.simulator.server import MarketSimulator

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None, *, until: threading.Event | None = None) -> int:
    """Print the environment that points quotewell at the simulator, then answer until interrupted.

    Args:
        arguments: Command line; None for the process's own.
        until: Set to stop from outside.

    Returns:
        Exit code.
    """
    options = _parser().parse_args(arguments)
    symbols = [symbol.strip() for symbol in options.symbols.split(",") if symbol.strip()]
    simulator = MarketSimulator(
        symbols=symbols,
        seed=options.seed,
        port=options.port,
        fmp_key=options.fmp_key,
        fmp_batch_quotes=options.fmp_batch_quotes,
        latency=options.latency,
    )
    for kind in options.fault:
        simulator.fault(kind)
    with simulator:
        sys.stdout.write(
            f"export QUOTEWELL_YAHOO_BASE_URL={simulator.yahoo_url}\n"
            f"export QUOTEWELL_FMP_BASE_URL={simulator.fmp_url}\n"
            f"export QUOTEWELL_FMP_API_KEY={simulator.fmp_key}\n"
        )
        sys.stdout.flush()
        try:
            (until or threading.Event()).wait()
        except KeyboardInterrupt:
            return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m quotewell.testing.simulator",
        description="Yahoo and FMP on this machine, from an invented market.",
    )
    parser.add_argument("--symbols", default="AAPL,MSFT,SPY", help="comma list; default %(default)s")
    parser.add_argument("--port", type=int, default=0, help="0 for any free one")
    parser.add_argument("--seed", type=int, default=0, help="another one, another market")
    parser.add_argument("--fmp-key", default="simulated-key", help="the only key that FMP accepts")
    parser.add_argument("--fmp-batch-quotes", action="store_true", help="the FMP plan has batch-quote")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds until a request is answered")
    parser.add_argument(
        "--fault", action="append", default=[], help="a fault for all data requests, like 429"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
