"""Every route, held to the OpenAPI document by schemathesis: good data, bad data, and chains of requests.

No route is named here: one that is new is drawn, sent and checked by itself. ``make fuzz`` draws more.
"""

import itertools
import secrets
from typing import Any

import schemathesis
from hypothesis import Phase, seed, settings
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis.core.failures import FailureGroup

from tests.drawn_cases import FUZZ_EXAMPLES, drawn
from tests.schema.fuzzing import SCHEMA, Caller, Case

CHAINS = drawn(12)


@SCHEMA.parametrize()
def test_every_answer_is_as_documented(case: Case, caller: Caller) -> None:
    """The documented examples, the edges of every schema, and what is drawn from within and without."""
    caller.send(case)


def test_chains_of_requests_are_answered_as_documented(caller: Caller) -> None:
    """Work is queued, looked at, cancelled and repeated, by the links that the document declares."""
    ended: list[object] = []
    found: list[FailureGroup] = []

    class Chains(SCHEMA.as_state_machine()):  # type: ignore[misc]  # made at run time
        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            caller.prepare(case)
            return caller.sending

        def validate_response(self, response: schemathesis.Response, case: Case, **_: object) -> None:
            try:
                caller.check(case, response)
            except FailureGroup as failure:
                found.append(failure)
                raise

        def teardown(self) -> None:
            caller.end_work()
            ended.append(self)

    for attempt in itertools.count():
        if found or len(ended) >= CHAINS:
            break
        seed(secrets.randbits(64) if FUZZ_EXAMPLES else attempt)(Chains)
        try:
            Chains.run(
                settings=settings(
                    max_examples=CHAINS - len(ended),
                    stateful_step_count=8,
                    phases=[Phase.generate],
                    database=None,
                )
            )
        except FlakyStrategyDefinition:
            # The hub remembers earlier chains, so that one and the same beginning goes on in another way, and
            # Hypothesis gives up; what was answered until there has been checked.
            continue
    assert not found, found[0]
