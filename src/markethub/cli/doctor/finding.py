"""What a check found."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """``warn`` works but should be looked at; ``fail`` does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; ``advice`` says what to do, and is empty where nothing is to be done."""

    level: Level
    check: str
    detail: str
    advice: str = ""

    def to_json(self) -> dict[str, str]:
        return {"level": self.level, "check": self.check, "detail": self.detail, "advice": self.advice}


def ok(check: str, detail: str) -> Finding:
    return Finding(Level.OK, check, detail)


def warn(check: str, detail: str, advice: str) -> Finding:
    return Finding(Level.WARN, check, detail, advice)


def fail(check: str, detail: str, advice: str) -> Finding:
    return Finding(Level.FAIL, check, detail, advice)
