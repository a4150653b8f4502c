"""Records of the ledger as OKX writes them: every number is text, and what is not told is empty text."""

from decimal import Decimal
from typing import Final

import orjson

from markethub.sandbox.okx.ledger_orders import Fill, Order
from markethub.sandbox.okx.ledger_transfers import Transfer

_EMPTY_ORDER: Final = dict.fromkeys(
    (
        "algoClOrdId", "algoId", "attachAlgoClOrdId", "cancelSource", "cancelSourceReason", "ccy", "lever",
        "posSide", "pxType", "pxUsd", "pxVol", "quickMgnType", "slOrdPx", "slTriggerPx", "slTriggerPxType",
        "source", "stpId", "stpMode", "tag", "tpOrdPx", "tpTriggerPx", "tpTriggerPxType",
    ),
    "",
)  # fmt: skip
_EMPTY_FILL: Final = dict.fromkeys(
    ("fillFwdPx", "fillIdxPx", "fillMarkPx", "fillMarkVol", "fillPxUsd", "fillPxVol", "tag"), ""
)


def print_order(order: Order) -> bytes:
    """One entry of the order history, as it stands once the order has ended."""
    last = order.fills[-1] if order.fills else None
    return orjson.dumps(
        _EMPTY_ORDER
        | {
            "accFillSz": print_amount(order.filled_size),
            "attachAlgoOrds": [],
            "avgPx": "" if order.average_price is None else print_amount(order.average_price),
            "cTime": str(order.created_ms),
            "category": "normal",
            "clOrdId": order.client_id,
            "fee": print_amount(order.fee),
            "feeCcy": order.fee_asset,
            "fillPx": print_amount(last.price) if last else "",
            "fillSz": print_amount(last.size) if last else "",
            "fillTime": str(last.time_ms) if last else "",
            "instId": order.pair.name,
            "instType": "SPOT",
            "isTpLimit": "false",
            "linkedAlgoOrd": {"algoId": ""},
            "ordId": str(order.id),
            "ordType": order.type,
            "pnl": "0",
            "px": "" if order.price is None else print_amount(order.price),
            "rebate": print_amount(order.rebate),
            "rebateCcy": order.rebate_asset,
            "reduceOnly": "false",
            "side": order.side,
            "state": "canceled" if order.is_canceled else "filled",
            "sz": print_amount(order.size),
            "tdMode": "cash",
            "tgtCcy": _size_word(order),
            "tradeId": str(last.trade_id) if last else "",
            "uTime": str(order.ended_ms),
        }
    )


def _size_word(order: Order) -> str:
    if order.type != "market":
        return ""
    return "quote_ccy" if order.is_quote_size else "base_ccy"


def print_fill(fill: Fill) -> bytes:
    """One entry of the transaction details."""
    order = fill.order
    return orjson.dumps(
        _EMPTY_FILL
        | {
            "billId": str(fill.bill_id),
            "clOrdId": order.client_id,
            "execType": "T" if fill.is_taker else "M",
            "fee": print_amount(fill.fee),
            "feeCcy": order.fee_asset,
            "feeRate": "-0.001" if fill.is_taker else "-0.0008",
            "fillPnl": "0",
            "fillPx": print_amount(fill.price),
            "fillSz": print_amount(fill.size),
            "fillTime": str(fill.time_ms),
            "instId": order.pair.name,
            "instType": "SPOT",
            "ordId": str(order.id),
            "posSide": "net",
            "side": order.side,
            "subType": "1" if order.side == "buy" else "2",
            "tradeId": str(fill.trade_id),
            "ts": str(fill.booked_ms),
        }
    )


def print_deposit(one: Transfer, now_ms: int) -> bytes:
    """One entry of the deposit history, as it stands now."""
    return orjson.dumps(
        {
            "actualDepBlkConfirm": "" if one.is_internal else "64",
            "amt": print_amount(one.amount),
            "areaCodeFrom": "",
            "ccy": one.asset,
            "chain": one.chain,
            "depId": str(one.id),
            "from": one.partner if one.is_internal else "",
            "fromWdId": str(one.id + 1) if one.is_internal else "",
            "state": one.state(now_ms),
            "to": "" if one.is_internal else one.partner,
            "ts": str(one.time_ms),
            "txId": f"{one.id}_0_0_0_asset" if one.is_internal else one.tx_id,
        }
    )


def print_withdrawal(one: Transfer, now_ms: int) -> bytes:
    """One entry of the withdrawal history, as it stands now."""
    return orjson.dumps(
        {
            "amt": print_amount(one.amount),
            "areaCodeFrom": "",
            "areaCodeTo": "",
            "ccy": one.asset,
            "chain": one.chain,
            "clientId": "",
            "fee": "0" if one.is_internal else print_amount(one.fee),
            "feeCcy": one.asset,
            "from": "",
            "nonTradableAsset": False,
            "state": one.state(now_ms),
            "to": one.partner,
            "ts": str(one.time_ms),
            "txId": one.tx_id,
            "wdId": str(one.id),
        }
    )


def print_bill(one: Transfer) -> bytes:
    """One entry of the asset bills."""
    return orjson.dumps(
        {
            "bal": print_amount(one.amount + 1000),
            "balChg": print_amount(one.amount if one.is_gain else -one.amount),
            "billId": str(one.bill_id),
            "ccy": one.asset,
            "clientId": "",
            "notes": "",
            "ts": str(one.time_ms),
            "type": one.bill_type,
        }
    )


def print_amount(amount: Decimal) -> str:
    """A number without exponent and needless zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
