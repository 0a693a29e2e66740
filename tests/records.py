"""Records of exchanges that never happened."""

from typing import Any

from corsproxy.core.messages import Field, RequestHead
from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.shell.feed.records import ExchangeRecord
from tests.policies import policy

REQUEST = {"method": "GET", "target": b"/", "fields": (), "client": "127.0.0.1"}
POLICY = policy()


def record(**changes: Any) -> ExchangeRecord:
    """A record of a plain request; `changes` are its fields, or those of its request."""
    asked = {name: changes.pop(name, value) for name, value in REQUEST.items()}
    fields: tuple[Field, ...] = asked["fields"]
    request = RequestHead(asked["method"], asked["target"], fields, client=asked["client"])
    verdict = Verdict(Kind.NO_ORIGIN, Code.NO_ORIGIN, True)
    return replaced(ExchangeRecord(request, POLICY, verdict, 200), **changes)


_VALUES = (
    *("request", "policy", "verdict", "status", "started", "duration_s", "sent", "received"),
    *("upstream_s", "error", "detail", "forward", "upstream_head", "response"),
    *("outcome", "outlook"),
)


def replaced(given: ExchangeRecord, **changes: Any) -> ExchangeRecord:
    """The same record with other values."""
    return ExchangeRecord(**{**{name: getattr(given, name) for name in _VALUES}, **changes})
