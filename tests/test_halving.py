from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.errors import ProviderError
from quotewell.providers.halving import ask_in_halves
from quotewell.providers.transport import StatusError
from quotewell.records import FailureKind

FIFTY = tuple(f"S{i}" for i in range(50))


class Server:
    """Refuses batches that hold a bad symbol."""

    def __init__(self, bad: set[str], error: Callable[[], ProviderError]) -> None:
        self.bad = bad
        self.error = error
        self.asked: list[tuple[str, ...]] = []

    def ask(self, symbols: tuple[str, ...]) -> list[str]:
        self.asked.append(symbols)
        if self.bad.intersection(symbols):
            raise self.error()
        return list(symbols)


def status_error(status: int, failure: FailureKind) -> Callable[[], ProviderError]:
    return lambda: StatusError("yahoo", failure, f"HTTP {status}", status=status)


@pytest.mark.parametrize("error", [status_error(400, "invalid"), status_error(500, "server")])
@given(position=st.integers(0, 49))
def test_one_bad_symbol_is_isolated_within_twelve_more_requests(
    error: Callable[[], ProviderError], position: int
) -> None:
    server = Server({FIFTY[position]}, error)
    halved = ask_in_halves(FIFTY, server.ask)
    answered = {symbol for _, answer in halved.answers for symbol in answer}
    assert answered == set(FIFTY) - server.bad
    assert set(halved.failed) == server.bad
    assert len(server.asked) <= 13


@given(st.sets(st.sampled_from(FIFTY)), st.sampled_from([(400, "invalid"), (500, "server")]))
def test_every_symbol_is_answered_or_failed_within_seventeen_requests(
    bad: set[str], kind: tuple[int, FailureKind]
) -> None:
    server = Server(bad, status_error(*kind))
    try:
        halved = ask_in_halves(FIFTY, server.ask)
    except ProviderError:
        assert bad
    else:
        answered = [symbol for _, answer in halved.answers for symbol in answer]
        assert sorted([*answered, *halved.failed]) == sorted(FIFTY)
        assert not bad.intersection(answered)
    assert len(server.asked) <= 17


def test_two_bad_symbols_in_different_halves_are_isolated_when_it_is_no_5xx() -> None:
    server = Server({"S1", "S48"}, status_error(400, "invalid"))
    halved = ask_in_halves(FIFTY, server.ask)
    assert halved.failed.keys() >= server.bad
    assert len(halved.failed) < 10


def test_a_server_that_is_down_is_asked_three_times() -> None:
    server = Server(set(FIFTY), status_error(500, "server"))
    with pytest.raises(StatusError):
        ask_in_halves(FIFTY, server.ask)
    assert len(server.asked) == 3


def test_a_request_that_is_refused_whatever_it_asks_for_is_given_up_after_the_quarters() -> None:
    server = Server(set(FIFTY), status_error(400, "invalid"))
    with pytest.raises(StatusError):
        ask_in_halves(FIFTY, server.ask)
    assert len(server.asked) == 7


def test_a_404_that_speaks_of_a_symbol_is_halved() -> None:
    server = Server({"S7"}, status_error(404, "unknown"))
    assert ask_in_halves(FIFTY, server.ask).failed.keys() == {"S7"}


@pytest.mark.parametrize(
    "error",
    [
        status_error(403, "denied"),
        status_error(404, "invalid"),
        lambda: ProviderError("yahoo", "rate_limited", "429"),
        lambda: ProviderError("yahoo", "timeout", "late"),
        lambda: ProviderError("yahoo", "invalid", "no JSON"),
    ],
)
def test_what_a_smaller_batch_would_not_mend_is_not_halved(error: Callable[[], ProviderError]) -> None:
    server = Server(set(FIFTY), error)
    with pytest.raises(ProviderError):
        ask_in_halves(FIFTY, server.ask)
    assert len(server.asked) == 1


def test_a_rate_limit_between_the_halves_keeps_what_was_answered() -> None:
    asked: list[tuple[str, ...]] = []

    def ask(symbols: tuple[str, ...]) -> str:
        asked.append(symbols)
        if len(asked) == 1:
            raise StatusError("yahoo", "server", "HTTP 500", status=500)
        if len(asked) == 3:
            raise ProviderError("yahoo", "rate_limited", "429", retry_at=60.0)
        return "ok"

    halved = ask_in_halves(("A", "B", "C", "D"), ask)
    assert halved.answers == [(("A", "B"), "ok")]
    assert {symbol: error.failure for symbol, error in halved.failed.items()} == {
        "C": "rate_limited",
        "D": "rate_limited",
    }
    assert len(asked) == 3


def test_a_single_symbol_is_asked_once() -> None:
    server = Server({"A"}, status_error(500, "server"))
    with pytest.raises(StatusError):
        ask_in_halves(["A"], server.ask)
    assert len(server.asked) == 1
