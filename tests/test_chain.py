from __future__ import annotations

import math
import threading

import pytest
from msgspec.structs import replace

from engine_parts import LONGEST_WAIT, Errand, in_threads, wait_until
from quotewell.endpoints import Call, Endpoint, Fetched, Lane, Limit
from quotewell.errors import FailureKind, ProviderError
from quotewell.providers import chain as chain_module
from quotewell.providers.chain import Chain
from quotewell.providers.circuit import Circuit, admit
from quotewell.testing.clock import ManualClock


class Stub:
    """A provider that fails as told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.endpoints: tuple[Endpoint, ...] = (Endpoint(name, "quote", frozenset(("quote",)), 10),)
        self.requests = 0
        self.handshake = 0
        self.limit: Limit | None = None
        self.waited = 0.0
        self.failure: FailureKind | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.closed = 0
        self.error_at_close: Exception | None = None
        self.seen: list[tuple[Call, Lane, float]] = []

    def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
        self.requests += 1
        self.seen.append((call, lane, deadline))
        assert self.gate.wait(LONGEST_WAIT)
        if self.failure is not None:
            raise ProviderError(self.name, self.failure, "down")
        return Fetched(unknown=set(call.needs))

    def close(self) -> None:
        self.closed += 1
        if self.error_at_close:
            raise self.error_at_close


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(patience=LONGEST_WAIT)


@pytest.fixture
def first() -> Stub:
    return Stub("first")


@pytest.fixture
def second() -> Stub:
    return Stub("second")


@pytest.fixture
def chain(first: Stub, second: Stub, clock: ManualClock) -> Chain:
    return Chain.of([first, second], clock)


def test_a_provider_is_made_when_it_is_first_needed(clock: ManualClock) -> None:
    made: list[str] = []

    def make() -> Stub:
        made.append("late")
        return Stub("late")

    chain = Chain({"late": make}, clock)
    assert chain.names == ("late",)
    assert chain.requests == 0
    chain.close()
    assert made == []
    assert chain.endpoints(0)
    assert chain.endpoints(0)
    assert made == ["late"]


def ask(chain: Chain, stub: Stub, deadline: float = math.inf) -> Fetched:
    call = Call(stub.endpoints[0], ("A",), frozenset([("A", "quote")]))
    return chain.fetch(call, lane=Lane.INTERACTIVE, deadline=deadline)


def refusal(chain: Chain, stub: Stub) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        ask(chain, stub)
    return raised.value


def test_rounds_are_the_providers_in_order(chain: Chain, first: Stub, second: Stub) -> None:
    assert len(chain) == 2
    assert list(chain.names) == ["first", "second"]
    assert [chain.endpoints(i) for i in (-1, 0, 1, 2)] == [(), first.endpoints, second.endpoints, ()]


def test_a_call_goes_to_the_provider_of_its_endpoint(chain: Chain, first: Stub, second: Stub) -> None:
    call = Call(second.endpoints[0], ("A",), frozenset([("A", "quote")]))
    assert chain.fetch(call, lane=Lane.PREFETCH, deadline=9.0).unknown == {("A", "quote")}
    assert second.seen == [(call, Lane.PREFETCH, 9.0)]
    assert first.seen == []


def test_requests_are_summed(chain: Chain, first: Stub, second: Stub) -> None:
    ask(chain, first)
    ask(chain, second)
    ask(chain, second)
    assert chain.requests == 3


def test_an_unknown_provider_is_unsupported(chain: Chain) -> None:
    error = refusal(chain, Stub("third"))
    assert (error.provider, error.failure) == ("third", "unsupported")


def test_three_failures_open_the_circuit_of_that_provider_only(
    chain: Chain, first: Stub, second: Stub, clock: ManualClock
) -> None:
    first.failure = "network"
    for _ in range(3):
        assert str(refusal(chain, first)) == "first: down"
    refused = refusal(chain, first)
    assert first.requests == 3
    assert refused.failure == "network"
    assert refused.retry_at == clock.now() + 30.0
    assert "asked again in 30 s" in str(refused)
    assert ask(chain, second).unknown


def test_a_success_in_between_starts_the_count_anew(chain: Chain, first: Stub) -> None:
    for failure in ("timeout", "server", None, "timeout", "server"):
        first.failure = failure
        if failure is None:
            ask(chain, first)
        else:
            refusal(chain, first)
    first.failure = None
    assert ask(chain, first).unknown


def test_the_probe_after_the_wait_closes_the_circuit_again(
    chain: Chain, first: Stub, clock: ManualClock
) -> None:
    first.failure = "server"
    for _ in range(3):
        refusal(chain, first)
    clock.advance(30.0)
    refusal(chain, first)
    assert first.requests == 4
    assert refusal(chain, first).retry_at == clock.now() + 60.0
    clock.advance(60.0)
    first.failure = None
    assert ask(chain, first).unknown
    assert ask(chain, first).unknown
    assert first.requests == 6


def test_calls_wait_for_the_probe_that_is_on_its_way(chain: Chain, first: Stub, clock: ManualClock) -> None:
    first.failure = "server"
    for _ in range(3):
        refusal(chain, first)
    clock.advance(30.0)
    first.failure = None
    first.gate.clear()
    probe = Errand(lambda: ask(chain, first))
    wait_until(lambda: first.requests == 4)
    others = in_threads(3, lambda _: ask(chain, first))
    assert first.requests == 4
    first.gate.set()
    assert probe.result()
    assert all(other.result() for other in others)
    assert first.requests == 7


def test_the_test_above_sees_it_when_nobody_waits(
    chain: Chain, first: Stub, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def admit_without_saying_so(circuit: Circuit, now: float) -> tuple[Circuit, float]:
        state, wait = admit(circuit, now)
        return replace(state, probing=False), wait

    monkeypatch.setattr(chain_module, "admit", admit_without_saying_so)
    first.failure = "server"
    for _ in range(3):
        refusal(chain, first)
    clock.advance(30.0)
    first.failure = None
    first.gate.clear()
    probe = Errand(lambda: ask(chain, first))
    wait_until(lambda: first.requests == 4)
    assert refusal(chain, first).failure == "server"
    first.gate.set()
    assert probe.result()


def test_a_call_whose_deadline_comes_before_the_probes_outcome_is_refused(
    chain: Chain, first: Stub, clock: ManualClock
) -> None:
    first.failure = "server"
    for _ in range(3):
        refusal(chain, first)
    clock.advance(30.0)
    first.gate.clear()
    probe = Errand(lambda: refusal(chain, first))
    wait_until(lambda: first.requests == 4)
    with pytest.raises(ProviderError, match="at last: down; asked again in 30 s"):
        ask(chain, first, deadline=clock.monotonic())
    first.gate.set()
    assert probe.result()


def test_setting_the_wall_clock_back_does_not_keep_a_circuit_open(
    chain: Chain, first: Stub, clock: ManualClock
) -> None:
    first.failure = "server"
    for _ in range(3):
        refusal(chain, first)
    clock.set_wall(clock.now() - 86_400.0)
    clock.advance(30.0)
    first.failure = None
    assert ask(chain, first).unknown


def test_a_spent_quota_does_not_open_the_circuit(chain: Chain, first: Stub) -> None:
    first.failure = "quota"
    for _ in range(5):
        refusal(chain, first)
    assert first.requests == 5


def test_close_reaches_every_provider_even_if_one_fails(chain: Chain, first: Stub, second: Stub) -> None:
    assert [chain.endpoints(0), chain.endpoints(1)] == [first.endpoints, second.endpoints]
    chain.close()
    second.error_at_close = OSError("gone")
    with pytest.raises(OSError, match="gone"):
        chain.close()
    assert (first.closed, second.closed) == (2, 2)
