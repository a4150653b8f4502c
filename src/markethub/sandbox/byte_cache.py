"""A cache bounded by bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """Something that knows how many bytes it keeps alive."""

    @property
    def size_bytes(self) -> int: ...


K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Sized)


class ByteCache(Generic[K, V]):
    """Keeps the values used last, up to ``limit_bytes`` in all; a larger single value is not kept.

    Not thread-safe.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._values: OrderedDict[K, V] = OrderedDict()
        self.size_bytes = 0

    def find(self, key: K) -> V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def keep(self, key: K, value: V) -> None:
        if (before := self._values.pop(key, None)) is not None:
            self.size_bytes -= before.size_bytes
        self._values[key] = value
        self.size_bytes += value.size_bytes
        while self.size_bytes > self._limit_bytes:
            _, oldest = self._values.popitem(last=False)
            self.size_bytes -= oldest.size_bytes

    def find_or_make(self, key: K, make: Callable[[], V]) -> V:
        if (value := self.find(key)) is None:
            value = make()
            self.keep(key, value)
        return value
