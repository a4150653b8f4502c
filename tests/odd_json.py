"""JSON of any shape, and JSON of the right shape that was damaged, for the fuzzing of parsers."""

from typing import Any

from hypothesis import strategies as st

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "0", "-1", "NaN", "inf", "1e999", "1e-9", "1" * 40, "0." + "1" * 30, "0.1"])
)

ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def damaged(*wholes: dict[str, Any]) -> st.SearchStrategy[list[Any]]:
    """Lists of such entries, some fields of which are anything or gone, and of things that are no entries."""

    def damage(whole: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        odd = st.dictionaries(st.sampled_from(sorted(whole)), ANY_JSON, max_size=2)
        gone = st.sets(st.sampled_from(sorted(whole)), max_size=1)
        return st.builds(
            lambda odd, gone: {name: value for name, value in (whole | odd).items() if name not in gone},
            odd,
            gone,
        )

    return st.lists(st.one_of(*map(damage, wholes), ANY_JSON), max_size=3)
