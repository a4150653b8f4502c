"""The contract's support table."""

import pytest

from markethub.domain.errors import InputError
from markethub.domain.support import DataKind, check_support, venues_with


@pytest.mark.parametrize(
    ("kind", "venues"),
    [
        (DataKind.KLINE, ["BNC", "OKX", "GIO"]),
        (DataKind.SYMBOL, ["BNC", "OKX", "GIO"]),
        (DataKind.BALANCE, ["BNC", "OKX"]),
        (DataKind.ORDER, ["OKX"]),
        (DataKind.FILL, ["OKX"]),
        (DataKind.TRANSFER, ["OKX"]),
        (DataKind.ORDERBOOK, ["BNC", "OKX", "GIO"]),
        (DataKind.TICKER, ["BNC", "OKX", "GIO"]),
    ],
)
def test_which_exchanges_have_which_kind(kind: DataKind, venues: list[str]) -> None:
    assert venues_with(kind) == venues


def test_an_unsupported_kind_is_refused_with_those_that_have_it() -> None:
    with pytest.raises(InputError, match="GIO does not support balance; supported are BNC, OKX"):
        check_support(["BNC", "GIO"], DataKind.BALANCE)


def test_an_unknown_exchange_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="'FTX' is unknown; known are BNC, OKX, GIO"):
        check_support(["FTX"], DataKind.KLINE)
