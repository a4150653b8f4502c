"""Rules of subscriptions: how they are read, and what they choose."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import InputError
from markethub.domain.subscription import (
    MOST_NAMES,
    MOST_RANKS,
    Candidate,
    SubscriptionRule,
    choose,
    may_rank,
    parse_choice,
    write_choice,
)
from markethub.domain.symbol import Symbol

BASES = ["AAA", "BBB", "CCC", "DDD", "EEE", "FFF"]
QUOTES = ["USDT", "USDC"]
ROOTS = [f"{base}_{quote}" for base in BASES for quote in QUOTES]
STATUSES = ["trading", "trading", "trading", "halted", "pre_open", "delisting"]


def rule_of(**fields: Any) -> SubscriptionRule:  # noqa: ANN401  (any field)
    return SubscriptionRule.parse({"quote": "USDT", "top": 2, **fields})


def listed(*rows: tuple[str, float | None] | tuple[str, float | None, str]) -> list[Candidate]:
    return [Candidate(Symbol("BNC", row[0]), row[2] if len(row) == 3 else "trading", row[1]) for row in rows]


def chosen(rule: SubscriptionRule, candidates: list[Candidate], *before: str) -> list[str]:
    found = choose(rule, candidates, [Symbol("BNC", root) for root in before])
    return [symbol.instrument for symbol in found]


MARKET = listed(
    ("AAA_USDT", 10.0), ("BBB_USDT", 50.0), ("CCC_USDT", 30.0), ("DDD_USDT", 20.0), ("EEE_USDT", 5.0),
    ("AAA_USDC", 900.0), ("FFF_USDT", 99.0, "halted"),
)  # fmt: skip


def test_a_rule_takes_the_largest_of_its_quote_that_trade() -> None:
    assert chosen(rule_of(), MARKET) == ["BBB_USDT", "CCC_USDT"]
    assert chosen(rule_of(quote="USDC", top=5), MARKET) == ["AAA_USDC"]
    assert chosen(rule_of(quote="EUR"), MARKET) == []


def test_who_is_in_stays_in_down_to_the_rank_that_is_kept() -> None:
    rule = rule_of(top=1, keep=3)
    assert chosen(rule, MARKET, "CCC_USDT", "DDD_USDT", "AAA_USDT", "FFF_USDT") == [
        "BBB_USDT", "CCC_USDT", "DDD_USDT",
    ]  # fmt: skip
    assert chosen(rule_of(top=1, keep=1), MARKET, "CCC_USDT") == ["BBB_USDT"]
    assert rule_of(top=7).keep == 14


def test_named_ones_are_in_or_out_and_have_no_rank() -> None:
    rule = rule_of(include=["AAA_USDC", "FFF_USDT", "NOSUCH_USDT"], exclude=["BBB_USDT"])
    assert chosen(rule, MARKET, "BBB_USDT") == ["AAA_USDC", "CCC_USDT", "DDD_USDT", "FFF_USDT"]


def test_equal_volumes_go_by_name_and_unknown_ones_come_last() -> None:
    even = listed(("BBB_USDT", 1.0), ("AAA_USDT", 1.0), ("CCC_USDT", None), ("DDD_USDT", 1.0))
    assert chosen(rule_of(top=2), even) == ["AAA_USDT", "BBB_USDT"]
    assert chosen(rule_of(top=4), even) == ["AAA_USDT", "BBB_USDT", "CCC_USDT", "DDD_USDT"]


rules = st.builds(
    lambda top, more, include, exclude: rule_of(
        top=top, keep=top + more, include=sorted(include - exclude), exclude=sorted(exclude)
    ),
    st.integers(1, 8),
    st.integers(0, 8),
    st.sets(st.sampled_from(ROOTS), max_size=3),
    st.sets(st.sampled_from(ROOTS), max_size=3),
)
markets = st.dictionaries(
    st.sampled_from(ROOTS),
    st.tuples(st.sampled_from(STATUSES), st.none() | st.sampled_from([0.0, 1.0, 2.0, 3.5])),
)


@given(rule=rules, market=markets, before=st.sets(st.sampled_from(ROOTS)))
def test_any_market_is_chosen_from_as_the_words_say(
    rule: SubscriptionRule, market: dict[str, tuple[str, float | None]], before: set[str]
) -> None:
    """Held against the rule's own words, instrument by instrument, by counting who is larger."""

    def ranks(root: str) -> bool:
        return (
            market[root][0] == "trading"
            and root.endswith("_USDT")
            and root not in rule.include + rule.exclude
        )

    def rank(root: str) -> int:
        mine = market[root][1] or 0.0
        return 1 + sum(
            (other or 0.0) > mine or ((other or 0.0) == mine and name < root)
            for name, (_, other) in market.items()
            if ranks(name)
        )

    expected = {root for root in market if root in rule.include}
    expected |= {root for root in market if ranks(root) and rank(root) <= rule.top}
    expected |= {root for root in market if ranks(root) and rank(root) <= rule.keep and root in before}
    candidates = [Candidate(Symbol("BNC", root), *told) for root, told in market.items()]
    assert chosen(rule, candidates, *before) == sorted(expected)
    assert {one.symbol.instrument for one in candidates if may_rank(rule, one)} == set(filter(ranks, market))


@given(rule=rules, market=markets)
def test_choosing_again_from_the_same_market_changes_nothing(
    rule: SubscriptionRule, market: dict[str, tuple[str, float | None]]
) -> None:
    candidates = [Candidate(Symbol("BNC", root), *told) for root, told in market.items()]
    first = choose(rule, candidates, ())
    assert choose(rule, reversed(candidates), first) == first


@given(rules)
def test_a_rule_reads_what_it_writes(rule: SubscriptionRule) -> None:
    assert parse_choice(write_choice(rule)) == rule


def test_a_whole_number_may_be_written_as_json_writes_it() -> None:
    assert rule_of(top=5.0, keep=7.0) == rule_of(top=5, keep=7)


def test_a_list_is_the_same_in_any_order_and_once() -> None:
    choice = parse_choice(["ETH_USDT", "BTC_USDT", "ETH_USDT"])
    assert write_choice(choice) == ["BTC_USDT", "ETH_USDT"]
    assert parse_choice([]) == ()


def test_a_rule_says_what_it_is() -> None:
    assert str(rule_of(exclude=["USDC_USDT"])) == ("USDT, top 2 by volume, kept to rank 4, without USDC_USDT")
    many = [f"C{number}_USDT" for number in range(7)]
    assert str(rule_of(include=many)).endswith("with C0_USDT, C1_USDT, C2_USDT, C3_USDT, C4_USDT and 2 more")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"top": 5}, "quote is missing"),
        ({"quote": "USDT"}, "top is missing"),
        ({"quote": None, "top": 5}, "quote is missing"),
        ({"quote": "usdt", "top": 5}, "quote 'usdt' is not a currency such as USDT"),
        ({"quote": "", "top": 5}, "quote '' is not a currency"),
        ({"quote": "A_B", "top": 5}, "quote 'A_B' is not a currency"),
        ({"quote": 5, "top": 5}, "quote 5 is not a currency"),
        ({"quote": "USDT", "top": 0}, f"top 0 is not between 1 and {MOST_RANKS}"),
        ({"quote": "USDT", "top": MOST_RANKS + 1}, f"top {MOST_RANKS + 1} is not between"),
        ({"quote": "USDT", "top": "5"}, "top '5' is not a whole number"),
        ({"quote": "USDT", "top": True}, "top True is not a whole number"),
        ({"quote": "USDT", "top": 5.5}, "top 5.5 is not a whole number"),
        ({"quote": "USDT", "top": 1e308}, "is not between 1 and"),
        ({"quote": "USDT", "top": 5, "keep": 4}, f"keep 4 is not between top (5) and {MOST_RANKS}"),
        ({"quote": "USDT", "top": 5, "keep": 0}, "keep 0 is not between"),
        ({"quote": "USDT", "top": 5, "keep": MOST_RANKS + 1}, f"keep {MOST_RANKS + 1} is not between"),
        ({"quote": "USDT", "top": 5, "keep": []}, "keep [] is not a whole number"),
        ({"quote": "USDT", "top": 5, "by": "size"}, "by 'size' is not one of volume"),
        ({"quote": "USDT", "top": 5, "by": []}, "by [] is not one of volume"),
        ({"quote": "USDT", "top": 5, "kep": 9}, "field 'kep' is unknown; allowed are quote, top, by, keep"),
        ({"quote": "USDT", "top": 5, "include": "BTC_USDT"}, "include 'BTC_USDT' is not a list"),
        ({"quote": "USDT", "top": 5, "include": [7]}, "include holds 7, which is not a root symbol"),
        ({"quote": "USDT", "top": 5, "exclude": ["BTC_USDT.BNC"]}, "is not BASE_QUOTE"),
        ({"quote": "USDT", "top": 5, "include": ["A_B"], "exclude": ["A_B"]}, "A_B is in both"),
        (["BTC_USDT.BNC"], "'BTC_USDT.BNC' is not BASE_QUOTE"),
        ("BTC_USDT", "symbols 'BTC_USDT' is not a list"),
        (None, "symbols None is not a list"),
        (["A_B"] * (MOST_NAMES + 1), f"at most {MOST_NAMES} are allowed"),
    ],
)
def test_what_is_no_choice_is_told_what_is_wrong(told: object, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_choice(told)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_rule_has_to_be_an_object() -> None:
    with pytest.raises(InputError, match="rule 'USDT' is not an object"):
        SubscriptionRule.parse("USDT")
