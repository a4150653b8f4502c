"""The cache keeps what was used last, within its bound."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from markethub.sandbox.byte_cache import ByteCache


@dataclass(frozen=True)
class Block:
    size_bytes: int


def test_what_was_used_last_stays() -> None:
    cache: ByteCache[str, Block] = ByteCache(30)
    for name in ("a", "b", "c"):
        cache.keep(name, Block(10))
    assert cache.find("a") is not None
    cache.keep("d", Block(10))
    assert cache.find("b") is None
    assert cache.find("a") is not None
    assert cache.size_bytes == 30


def test_a_value_is_made_once_while_it_is_kept() -> None:
    cache: ByteCache[str, Block] = ByteCache(30)
    made = []

    def make() -> Block:
        made.append(1)
        return Block(31 if len(made) == 3 else 10)

    assert cache.find_or_make("a", make) is cache.find_or_make("a", make)
    cache.find_or_make("b", make)
    assert cache.find_or_make("c", make).size_bytes == 31
    assert cache.find("c") is None, "larger than the whole cache"
    assert len(made) == 3


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=60))
def test_the_bound_holds_and_the_sum_is_right(writes: list[tuple[int, int]]) -> None:
    cache: ByteCache[int, Block] = ByteCache(100)
    for key, size in writes:
        cache.keep(key, Block(size))
        kept = [found.size_bytes for key in range(6) if (found := cache.find(key)) is not None]
        assert cache.size_bytes == sum(kept) <= 100
        assert cache.find(key) == Block(size)
