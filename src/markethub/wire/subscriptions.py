"""Which instruments are subscribed, and how that is chosen."""

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from markethub.domain.errors import InputError
from markethub.domain.subscription import MOST_NAMES, MOST_RANKS, Measure, SubscriptionRule
from markethub.wire.model import AnswerModel, RequestModel, SearchText, Text
from markethub.wire.names import ASSET, ExchangeCode, ListedName
from markethub.wire.pagination import Descending, Limit, Offset, Pagination
from markethub.wire.series import Format
from markethub.wire.times import AnswerTime


class SubscriptionQuery(RequestModel):
    """Which subscribed symbols to list; ``search`` is part of a name. Without ``format`` the Accept header
    decides."""

    exchange: Annotated[ExchangeCode | None, Field(description="one exchange's symbols, such as `BNC`")] = (
        None
    )
    search: Annotated[SearchText | None, Field(description="part of a name", examples=["BTC"])] = None
    limit: Limit = 50
    offset: Offset = 0
    order_by: Annotated[
        Text,
        Field(
            description="a field of the answer",
            json_schema_extra={"enum": ["symbol", "exchange", "created_at"]},
        ),
    ] = "symbol"
    order_desc: Descending = False
    format: Format = None


def _describe_names(words: str) -> dict[str, Any]:
    items = {"type": "string", "pattern": f"^{ASSET}_{ASSET}$"}
    return {"type": "array", "items": items, "maxItems": MOST_NAMES, "description": words}


# Spelt out, since the tools' schemas hold nothing behind references.
_RULE = {
    "type": "object",
    "description": "takes the largest instruments that trade; exactly one of symbols and rule must be given",
    "properties": {
        "quote": {
            "type": "string",
            "pattern": f"^{ASSET}$",
            "description": "the currency they are priced in, such as `USDT`",
        },
        "top": {"type": "integer", "minimum": 1, "maximum": MOST_RANKS, "description": "how many to take"},
        "by": {
            "type": "string",
            "enum": [measure.value for measure in Measure],
            "default": Measure.VOLUME.value,
            "description": "what makes one larger: `volume` of 24 hours, in the quote currency",
        },
        "keep": {
            "type": "integer",
            "minimum": 1,
            "maximum": MOST_RANKS,
            "description": "down to which rank one that is in stays in; twice `top` when left out",
        },
        "include": _describe_names(
            "root symbols such as `BTC_USDC` that are in whatever their quote and rank"
        ),
        "exclude": _describe_names("root symbols such as `USDC_USDT` that are never in"),
    },
    "required": ["quote", "top"],
    "additionalProperties": False,
    "examples": [{"quote": "USDT", "top": 50}],
}

Rule = Annotated[SubscriptionRule, PlainValidator(SubscriptionRule.parse), WithJsonSchema(_RULE)]


class SubscriptionRequest(RequestModel):
    """What to subscribe to on the exchange, instead of what is subscribed now: symbols by name, none for an
    empty list, or what a rule chooses now and anew every day. Exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"symbols": ["BTC_USDT", "ETH_USDT"]}, {"rule": {"quote": "USDT", "top": 50}}]
        }
    )

    symbols: Annotated[
        list[ListedName] | None,
        Field(
            max_length=MOST_NAMES,
            description="names such as `BTC_USDT` or `BTC_USDT.BNC`",
            examples=[["BTC_USDT", "ETH_USDT"]],
        ),
    ] = None
    rule: Rule | None = None

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.symbols is None) == (self.rule is None):
            raise InputError('give exactly one of symbols and rule, such as {"symbols": ["BTC_USDT"]}')
        return self


class Subscription(AnswerModel):
    """One subscribed symbol, and since when it has been."""

    exchange: str
    symbol: str
    created_at: AnswerTime


class ExchangeSubscriptions(AnswerModel):
    """How the ``count`` symbols of an exchange were chosen.

    ``kind`` is ``explicit`` (by name) or ``rule``, whose rule stands under ``rule``, every field of it there.
    ``source`` tells who chose: ``config`` or ``api``. ``resolved_at`` is when the rule chose last; null for
    one that waits for the exchange's first answer, and for names.
    """

    exchange: str
    kind: str
    rule: dict[str, Any] | None
    source: str
    count: int
    updated_at: AnswerTime
    resolved_at: AnswerTime | None


class SubscriptionList(AnswerModel):
    """A page of subscribed symbols; ``exchanges`` are those that somebody chose for, whatever the page."""

    data: list[Subscription]
    pagination: Pagination
    exchanges: list[ExchangeSubscriptions]


class SubscriptionUpdate(ExchangeSubscriptions):
    """An exchange after a change: all its symbols, and which of them are new or gone, each list ascending."""

    symbols: list[str]
    added: list[str]
    removed: list[str]
