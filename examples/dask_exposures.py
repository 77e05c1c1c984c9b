"""Exposures of a large book by many processes that share one cache.

    python examples/dask_exposures.py positions.csv --workers 2

One process reads the file and cuts it by underlying, so that a contract is solved once and a price wanted by
one worker only. Each worker keeps a ticker service; all of them share the cache folder, so that what several
need (the benchmark, interest rates, exchange rates) is fetched once, within one rate limit. A cluster on
several hosts needs a cache that all of them reach: `QUOTEWELL_CACHE_URL`.

Prices are the market's: the file's own, which a `Portfolio` falls back on, stay at home.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
from dask.distributed import Client, LocalCluster, Worker, WorkerPlugin, get_worker

import quotewell
from quotewell.portfolio import Basis, Portfolio
from quotewell.portfolio.arrow import exposures, market_for
from quotewell.symbols import parse_option


class Tickers(WorkerPlugin):
    """A ticker service in each worker, for as long as the worker lives."""

    name = "tickers"

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def setup(self, worker: Worker) -> None:
        """Open it."""
        worker.tickers = quotewell.open(**self.settings)

    def teardown(self, worker: Worker) -> None:
        """Close it: counts of use are written, threads end."""
        worker.tickers.close()


def fetch(part: pa.Table, basis: Basis) -> int:
    """Have all that a part needs in the cache; say how many readings that are."""
    return int(market_for(part, get_worker().tickers, basis).num_rows)


def value(part: pa.Table, basis: Basis, at: float) -> pa.Table:
    """Value a part at one instant, from what has just been fetched."""
    return exposures(part, market_for(part, get_worker().tickers, basis), basis=basis, at=at)


def cut(positions: pa.Table, count: int) -> list[pa.Table]:
    """Positions in parts of about the same number of rows, each underlying with all its options in one."""
    underlyings = [_underlying(symbol) for symbol in positions["symbol"].to_pylist()]
    loads = [0] * count
    part_of = {}
    for underlying, rows in Counter(underlyings).most_common():
        part_of[underlying] = lightest = loads.index(min(loads))
        loads[lightest] += rows
    part = pa.array([part_of[underlying] for underlying in underlyings])
    numbered = positions.append_column("row", pa.array(range(positions.num_rows)))
    parts = [numbered.filter(pa.compute.equal(part, number)) for number in range(count)]
    return [part for part in parts if part.num_rows]


def exposures_on(client: Client, positions: pa.Table, basis: Basis, parts: int) -> tuple[pa.Table, float]:
    """The positions with their exposures, in their order, and the instant that they are of.

    Args:
        client: Of a cluster whose workers have the plugin `Tickers`.
        positions: As `Portfolio.to_arrow` writes them.
        basis: Base currency, benchmark, and what the user gives.
        parts: Into how many to cut; a few for each worker, so that none waits long for the last.
    """
    workers = list(client.nthreads())
    # A part is valued where it was fetched: what it needs is in that worker's memory.
    placed = [(part, workers[place % len(workers)]) for place, part in enumerate(cut(positions, parts))]
    client.gather([client.submit(fetch, part, basis, workers=[worker]) for part, worker in placed])
    at = time.time()  # nothing that was fetched is later than the valuation
    futures = [client.submit(value, part, basis, at, workers=[worker]) for part, worker in placed]
    return pa.concat_tables(client.gather(futures)).sort_by("row").drop_columns(["row"]), at


def main() -> None:
    """Read a file, value it on a cluster on this machine, print net exposures by underlying."""
    parser = argparse.ArgumentParser(description="Exposures of a book by several processes.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print exposures row by row, as JSON")
    options = parser.parse_args()
    book = Portfolio.from_csv(options.file)
    with (
        LocalCluster(
            n_workers=options.workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(Tickers())
        table, at = exposures_on(client, book.to_arrow(), book.basis, 2 * options.workers)
    if options.json:
        print(json.dumps({"at": at, "rows": table.select(["symbol", "exposure", "status"]).to_pylist()}))
        return
    sums = table.group_by("underlying").aggregate([("exposure", "sum"), ("beta_adjusted", "sum")])
    for row in sums.sort_by([("exposure_sum", "descending")]).to_pylist():
        known = [row["exposure_sum"], row["beta_adjusted_sum"]]
        figures = ("n/a" if figure is None else f"{figure:,.0f}" for figure in known)
        print(f"{row['underlying'] or 'cash':12}", *(f"{figure:>16}" for figure in figures))
    missing = sum(status != "ok" for status in table["status"].to_pylist())
    print(f"{missing} of {table.num_rows} rows have no exposure or no beta and are in no sum")


def _underlying(symbol: str | None) -> str:
    option = parse_option(symbol or "")
    return (symbol or "") if option is None else option.underlying or option.root


if __name__ == "__main__":
    main()
