"""The API while its provider is out of order: everybody is answered, with the old price, marked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from outages import Outage, ask_in_an_outage


def seen(outage: Outage) -> Counter[tuple[int, str]]:
    return Counter((status, freshness) for status, freshness, _, _ in outage.answers)


@pytest.mark.parametrize("fault", ["503", "429"])
def test_everybody_is_answered_with_the_old_price_marked(tmp_path: Path, fault: str) -> None:
    outage = ask_in_an_outage(tmp_path, fault, clients=100)
    assert seen(outage) == {(200, "stale"): 100}
    assert all(price and error for _, _, price, error in outage.answers)
    assert outage.requests <= 20  # not one for each of a hundred clients


@pytest.mark.torture
@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", ["503", "429", "reset", "hang", "drip", "html", "invalid_json"])
def test_five_hundred_clients_at_once_are_answered_again_and_again_in_bounded_memory(
    tmp_path: Path, fault: str
) -> None:
    outage = ask_in_an_outage(tmp_path, fault, clients=500, rounds=6)
    assert seen(outage) == {(200, "stale"): 3000}
    assert all(price and error for _, _, price, error in outage.answers)
    assert outage.memory[-1] < 300_000
    assert outage.memory[-1] - outage.memory[1] < 20_000
