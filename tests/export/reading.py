"""From a file's text to what is exported of it."""

from corsproxy.config.places import read_places
from corsproxy.config.reader import read_policy
from corsproxy.export.engines import Exported, export
from corsproxy.export.plan import Plan, make_plan

FILE = "corsproxy.yaml"
GOOD = "upstream: http://127.0.0.1:9\ncors: {allow_origins: [https://app.example.com]}\n"


def plan_of(text: str, day: str | None = None) -> Plan:
    policy = read_policy(text, FILE, {}, "/dir", day=day).policy
    return make_plan(policy, FILE, read_places(text, FILE))


def exported(engine: str, text: str, day: str | None = None) -> Exported:
    policy = read_policy(text, FILE, {}, "/dir", day=day).policy
    return export(engine, policy, FILE, read_places(text, FILE))


def losses(engine: str, text: str, day: str | None = None) -> list[str]:
    return [str(loss) for loss in exported(engine, text, day).losses]
