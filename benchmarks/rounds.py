"""Contestants measured in turns, so that a noisy machine is unfair to all alike."""

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

Contestant = Callable[[], AbstractContextManager[Callable[[], object]]]
"""Makes ready what a run needs, yields the run, and clears away; only the run is measured."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Wall time, and processor time of this whole process (all threads, user and system)."""

    wall_s: float
    cpu_s: float


def take_turns(contestants: Mapping[str, Contestant], rounds: int) -> dict[str, Spent]:
    """Run each contestant once a round, after one round that does not count; the medians by name.

    Every other round goes backwards: nobody always runs behind the same neighbour.
    """
    spent: dict[str, list[Spent]] = {name: [] for name in contestants}
    for prepare in contestants.values():
        _measure(prepare)
    for turn in range(rounds):
        names = list(contestants)[:: -1 if turn % 2 else 1]
        for name in names:
            spent[name].append(_measure(contestants[name]))
    return {name: _median(samples) for name, samples in spent.items()}


def quantile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least ``share`` of all do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _measure(prepare: Contestant) -> Spent:
    with prepare() as run:
        gc.collect()
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        run()
        return Spent(time.perf_counter() - wall_s, time.process_time() - cpu_s)


def _median(samples: Sequence[Spent]) -> Spent:
    return Spent(
        statistics.median(sample.wall_s for sample in samples),
        statistics.median(sample.cpu_s for sample in samples),
    )
