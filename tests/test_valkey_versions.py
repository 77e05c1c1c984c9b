"""An older and a newer program over one server, as during an upgrade: neither breaks the other.

The newer one is made up: its headers are longer, its records have more fields, one body has another format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec
import pytest

from quotewell.cache.codec import encode
from quotewell.cache.valkey.level import ValkeyLevel
from quotewell.cache.valkey.scripts import HEADER
from quotewell.coordination.budget import Budget
from quotewell.endpoints import Limit
from quotewell.records import Closes, Failure, Quote, Record
from quotewell.testing import ManualClock
from valkey_servers import own_prefix, valkey_coordinator, valkey_level

FAILURE = Failure("timeout", "took 15 s", "x", 2, 1.0, 2.0, 3.0)
EXTRA = b"from a later version"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def old(clock: ManualClock) -> Iterator[ValkeyLevel]:
    made = valkey_level(clock)
    made.put_many("quote", [quote("OWN", 1.0)], begun=0)
    yield made
    made.close()


def quote(symbol: str, at: float) -> Quote:
    return Quote(symbol=symbol, source="x", fetched_at=at, last=at)


def put_as_newer(
    old: ValkeyLevel, record: Record, *more: object, form: int = 1, body: bytes | None = None
) -> None:
    """What a later version would have stored: a longer header, and a body with more fields."""
    if body is None:
        [known] = encode([record])
        body = msgspec.msgpack.encode([*msgspec.msgpack.decode(known), *more])
    length = struct.calcsize(HEADER) + len(EXTRA)
    header = struct.pack(HEADER, form, length, 0, 0, 0.0, float(old.rev()), record.fetched_at)
    client = old._server.client
    client.set(old._key("r", "quote", record.symbol), header + EXTRA + body)
    client.zadd(old._key("i", "quote"), {record.symbol: old.rev()})
    client.hincrby(old._key("meta"), "n:quote", 1)
    client.hset(old._key("meta"), "of:later", "something")


def test_the_older_reads_what_it_knows_of_a_record_and_passes_over_the_rest(old: ValkeyLevel) -> None:
    put_as_newer(old, quote("A", 5.0), 0.3, {"mic": "XNAS"})
    assert old.get_many("quote", ["A", "OWN"]) == {"A": quote("A", 5.0), "OWN": quote("OWN", 1.0)}


@pytest.mark.parametrize(
    ("form", "body"),
    [(2, b"another format"), (1, msgspec.msgpack.encode(["A", "x", None, 5.0, "five"]))],
    ids=["another format", "a field of another type"],
)
def test_what_the_older_cannot_read_is_a_miss_that_it_may_replace_by_something_newer(
    old: ValkeyLevel, form: int, body: bytes
) -> None:
    put_as_newer(old, quote("A", 5.0), form=form, body=body)
    assert old.get_many("quote", ["A", "OWN"]).keys() == {"OWN"}
    assert old.put_many("quote", [quote("A", 4.0)], begun=old.rev()) == {"A"}, "older than what is there"
    assert old.put_many("quote", [quote("A", 6.0)], begun=old.rev()) == set()
    assert old.get_many("quote", ["A"]) == {"A": quote("A", 6.0)}


def test_what_the_older_does_to_a_record_leaves_what_it_does_not_know(old: ValkeyLevel) -> None:
    put_as_newer(old, quote("A", 5.0), 0.3)
    old.fail_many("quote", {"A": FAILURE}, begun=old.rev())
    old.invalidate_many("quote", ["A"])
    expected = msgspec.structs.replace(quote("A", 5.0), failure=FAILURE, invalidated=True)
    assert old.get_many("quote", ["A"]) == {"A": expected}
    stored = old._server.client.get(old._key("r", "quote", "A"))
    form, length, _, size, *_ = struct.unpack_from(HEADER, stored)
    assert (form, stored[struct.calcsize(HEADER) : length]) == (1, EXTRA)
    assert msgspec.msgpack.decode(stored[length + size :])[-1] == 0.3
    assert old.delete_many("quote", ["A"]) == 1


def test_counting_pruning_and_clearing_concern_what_the_newer_has_stored(old: ValkeyLevel) -> None:
    for number in range(3):
        put_as_newer(old, quote(f"A{number}", 5.0 + number), form=2, body=b"?")
    assert old.stats().records == {"quote": 4}
    assert old.prune(3) == 1
    assert old.keys("quote") == ["A0", "A1", "A2"]
    assert old.delete_many("quote", None) == 3


def test_a_failure_and_a_series_of_a_later_version_are_read_or_missed(old: ValkeyLevel) -> None:
    old.fail_many("quote", {"A": FAILURE}, begun=old.rev())
    client, name = old._server.client, old._key("r", "quote", "A")
    stored = client.get(name)
    longer = msgspec.msgpack.encode([*msgspec.structs.astuple(FAILURE), "more"])
    head = bytearray(stored[: struct.calcsize(HEADER)])
    struct.pack_into(">I", head, 3, len(longer))
    client.set(name, bytes(head) + longer)
    assert old.get_many("quote", ["A"]) == {"A": Quote(symbol="A", failure=FAILURE)}
    series = Closes(symbol="A", source="x", dates=[1], closes=[2.0])
    known = msgspec.to_builtins(series)
    rev = struct.pack(">d", float(old.rev()))
    client.set(old._key("c", "A"), rev + msgspec.msgpack.encode({**known, "volumes": [7]}))
    client.set(old._key("c", "B"), rev + msgspec.msgpack.encode({**known, "dates": "packed"}))
    assert old.get_closes(["A", "B"]) == {"A": series}


def test_a_budget_with_more_or_fewer_fields_is_the_same_budget(clock: ManualClock) -> None:
    coordinator = valkey_coordinator(clock, prefix=own_prefix())
    limit = Limit(rate=1.0, burst=1, per_day=10)
    coordinator.spend("fmp", limit, n=1, max_wait=0.0)
    name = coordinator._key("budget", "fmp")
    client = coordinator._server.client
    row = msgspec.msgpack.decode(client.get(name))
    assert len(row) == len(Budget.__struct_fields__)
    client.set(name, msgspec.msgpack.encode([*row, "more"]))
    assert coordinator.quota_left("fmp", limit) == 9
    client.set(name, msgspec.msgpack.encode(row[:4]))
    assert coordinator.spend("fmp", limit, n=1, max_wait=60.0).refused is None
    assert coordinator.quota_left("fmp", limit) == 8
    coordinator.close()
