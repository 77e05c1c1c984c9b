"""All writers; one for each layout of each broker."""

from __future__ import annotations

from writers.activity import Activity
from writers.etrade import ETrade
from writers.fidelity import Fidelity, FidelityView
from writers.flex import Flex, FlexOfFewColumns
from writers.held import Writer
from writers.merrill import Merrill
from writers.plain import Plain
from writers.schwab import Schwab, SchwabAccount, SchwabOld
from writers.tastytrade import Tastytrade
from writers.vanguard import Vanguard, VanguardPlan

__all__ = ["WRITERS"]

WRITERS: tuple[Writer, ...] = (
    Fidelity(),
    FidelityView(),
    Schwab(),
    SchwabOld(),
    SchwabAccount(),
    Vanguard(),
    VanguardPlan(),
    ETrade(),
    Merrill(),
    Tastytrade(),
    Flex(),
    FlexOfFewColumns(),
    Activity(),
    Plain(),
)
