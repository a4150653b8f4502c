"""How schemathesis is set up: what it draws, how much of it, and where the document cannot know enough."""

import re
from typing import Any
from urllib.parse import quote

import requests
import schemathesis
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import ignored_auth, unsupported_method

from markethub.api.app import create_api
from tests.api.served_hub import ServedHub
from tests.drawn_cases import FUZZ_EXAMPLES, drawn

Case = schemathesis.Case[Any]

# Random names are well formed and nobody's: half of the time it shall be one that the hub has.
_KNOWN = {
    "query.exchange": ["BNC", "OKX", "GIO"],
    "query.symbol": ["BTC_USDT.BNC", "ETH_USDT.BNC", "BTC_USDT.OKX"],
    "query.account": ["OKX_MM01", "BNC_MM01"],
    "path.exchange": ["BNC", "OKX", "GIO"],
    "path.job_id": ["backfill_kline", "1"],
    "path.execution_id": ["1", "2", "3"],
    "path.symbol": ["BTC_USDT.BNC", "ETH_USDT.BNC"],
    "path.task_name": ["sync_klines_1d"],
    "query.task_name": ["sync_klines_1d"],
    "query.task_type": ["incremental", "full_sync"],
    "body.exchanges[*]": ["OKX", "BNC"],
    "body.symbols[*]": ["BTC_USDT.BNC", "BTC_USDT.OKX", "BTC_USDT"],
    "body.accounts[*]": ["OKX_MM01", "BNC_MM01"],
}

# A request that fits the document may still be refused, for reasons that a JSON schema cannot hold.
_REASONS = (
    # which exchanges there are, what each has, and what is configured
    r"exchange '?\w+'? (is unknown; known are|does not support \w+; supported are|is not)",
    r"symbol \S+ is (on \w+, which is not among exchanges|a stock)",
    r"symbol '.*' is not (BASE_QUOTE|an instrument)",
    r"account \S+ is (not configured|on \w+, which is not among exchanges)",
    r"no account of [\w, ]+ is configured",
    r"no symbol is subscribed on ",
    r"(more than \d+ rows match|limit \d+ is not between 1 and \d+)",
    # two fields against each other, or a field against the clock
    r"(start|start_time|start_date|since) \S+ must be before (end|end_time|end_date|now|until) ",
    r"(start|end)_(time|date) \S+ is too early; ",
    r"name accounts or exchanges; ",
    r"give exactly one of symbols and rule",
    r"keep \d+ is not between top ",
    r"symbol \S+ is in both include and exclude",
    # what the exchange lists
    r"[A-Z]{3} does not list ",
    r"the rule \(.*\) chooses nothing",
    r"symbol \S+ is not of exchange ",
    r"quote '.*' is not a currency",
    r"start does not go with versions in force",
    # what this node is in its group
    r"only a slave does this; this node is a master",
    # said once for all texts, in the document's own description
    r".* must not hold a NUL character",
)
_KNOWN_REASON = re.compile("|".join(_REASONS), re.DOTALL)


def _configure() -> schemathesis.Config:
    # What fails by default is shown as it is: finding a smaller case may take minutes.
    is_short = FUZZ_EXAMPLES == 0
    generation = {"max-examples": drawn(4), "deterministic": is_short, "no-shrink": is_short}
    return schemathesis.Config.from_dict(
        {
            "generation": {**generation, "database": "none"},
            "checks": {
                # 422 is held more tightly by refuse_for_a_reason; what is long may be good, and too long.
                "positive_data_acceptance": {"expected-statuses": ["2xx", "404", "409", "422", "431"]},
                "negative_data_rejection": {
                    "expected-statuses": ["401", "403", "404", "405", "409", "413", "422", "431"]
                },
            },
            "operations": [
                {
                    "include-path-regex": "^/api/dms/",
                    "checks": {
                        # 400 stands for 422 there, 403 is the answer of a node of the other role.
                        "positive_data_acceptance": {
                            "expected-statuses": ["2xx", "400", "403", "404", "409", "431"]
                        },
                        "negative_data_rejection": {
                            "expected-statuses": ["400", "401", "403", "404", "405", "409", "413", "431"]
                        },
                    },
                }
            ],
            "dictionaries": {f"known-{n}": {"values": values} for n, values in enumerate(_KNOWN.values())},
            "parameters": {
                name: {"dictionary": f"known-{n}", "probability": 0.5} for n, name in enumerate(_KNOWN)
            },
        }
    )


load_all_checks()
SCHEMA = schemathesis.openapi.from_dict(create_api().openapi(), config=_configure())


# GET of this path is the other route's: `batch` might be a symbol.
_NOT_CHECKED = {"POST /api/dms/read/batch": [unsupported_method]}


def refuse_for_a_reason(
    _context: schemathesis.CheckContext, response: schemathesis.Response, case: Case
) -> None:
    """What fits the document is accepted, or refused for one of the reasons that only the hub can know."""
    is_dms = case.path.startswith("/api/dms/")
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code not in ((400, 403) if is_dms else (422,)):
        return
    message = response.json()["detail"] if is_dms else response.json()["error"]["message"]
    assert _KNOWN_REASON.match(message), f"refused, though it fits the document: {message}"


class Caller:
    """Sends cases to one hub as its administrator, and holds the answers to the document."""

    def __init__(self, served: ServedHub) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self._url = served.url
        self._headers = {"Authorization": f"Bearer {served.tokens['admin']}"}
        self._locked: set[str] = set()
        self._queued: list[int] = []
        self._has_started_tasks = False

    def send(self, case: Case) -> None:
        """Send a case, check its answer by every check there is, and end the work it made."""
        self.prepare(case)
        self.check(case, case.call(**self.sending))
        self.end_work()

    @property
    def sending(self) -> dict[str, Any]:
        return {"base_url": self._url, "session": self.session, "headers": self._headers}

    def prepare(self, case: Case) -> None:
        """End the execution whose events a case asks for: the answer lasts as long as that does."""
        execution_id = case.path_parameters.get("execution_id")
        if case.path.endswith("/events") and execution_id:
            self._cancel(str(execution_id))

    def check(self, case: Case, response: schemathesis.Response) -> None:
        """Check an answer; two requests more find out whether its route asks for a token, once for each."""
        if response.status_code == 200 and case.path.startswith("/api/v1/backfill/"):
            self._queued.append(response.json()["execution_id"])
        # a task's answer does not say which execution it is
        self._has_started_tasks |= case.path.startswith("/api/dms/tasks/trigger")
        label = case.operation.label
        case.validate_response(
            response,
            headers=self._headers,
            additional_checks=[refuse_for_a_reason],
            excluded_checks=[*self._checked(label), *_NOT_CHECKED.get(label, ())],
            transport_kwargs=self.sending,
        )
        if response.status_code == 200:
            self._locked.add(label)

    def _checked(self, label: str) -> list[Any]:
        return [ignored_auth] if label in self._locked else []

    def end_work(self) -> None:
        """Cancel what was queued since the last time: years of bars would only keep the hub busy."""
        while self._queued:
            self._cancel(str(self._queued.pop()))
        if self._has_started_tasks:
            self._has_started_tasks = False
            for status in ("PENDING", "RUNNING"):
                page = self.session.get(
                    f"{self._url}/api/v1/jobs/executions",
                    params={"search": status, "limit": "1000"},
                    headers=self._headers,
                    timeout=30,
                )
                for row in page.json()["data"]:
                    self._cancel(str(row["id"]))

    def _cancel(self, execution_id: str) -> None:
        path = f"/api/v1/executions/{quote(execution_id, safe='')}/cancel"
        answer = self.session.post(self._url + path, headers=self._headers, timeout=30)
        assert answer.status_code in (200, 404, 409, 422), answer.text
