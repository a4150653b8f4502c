"""The error tree is what its drawing says."""

import inspect

from markethub.domain import errors
from markethub.domain.errors import MarketHubError


def _classes() -> list[type[MarketHubError]]:
    members = inspect.getmembers(errors, inspect.isclass)
    return [member for _, member in members if issubclass(member, MarketHubError)]


def test_the_drawing_names_every_class_below_its_parent() -> None:
    drawing = errors.__doc__ or ""
    lines = [line for line in drawing.splitlines() if "Error" in line]
    depths = {line.replace("│", " ").split("─ ")[-1].split()[0]: _depth(line) for line in lines}
    assert set(depths) == {member.__name__ for member in _classes()}
    for member in _classes():
        if member is not MarketHubError:
            parent = member.__bases__[0].__name__
            assert depths[member.__name__] > depths[parent]


def _depth(line: str) -> int:
    name = line.replace("│", " ").split("─ ")[-1].split()[0]
    return line.index(name)


def test_codes_are_stable_words_and_statuses_are_http() -> None:
    for member in _classes():
        assert member.code.isupper()
        assert member.code.replace("_", "").isalpha()
        assert 400 <= member.status <= 599
