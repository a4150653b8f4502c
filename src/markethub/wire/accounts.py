"""The configured accounts and what their keys may do."""

from markethub.wire.model import AnswerModel
from markethub.wire.times import AnswerTime


class KeyRights(AnswerModel):
    """What a key may do, as the exchange tells; null where it does not tell."""

    can_read: bool | None
    can_trade: bool | None
    can_withdraw: bool | None
    is_ip_bound: bool | None


class Account(AnswerModel):
    """One configured account as it was found at ``checked_at``; ``detail`` says what to do, if anything.

    ``state`` is ``ok``, ``risky`` (the key may withdraw), ``refused`` (it does not work), ``unreachable`` or
    ``unchecked``.
    """

    account: str
    exchange: str
    state: str
    detail: str
    rights: KeyRights | None
    checked_at: AnswerTime | None


class AccountList(AnswerModel):
    """Every configured account, ascending by name."""

    data: list[Account]
