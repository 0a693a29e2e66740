"""Decisions as fast as one core can make them: no sockets, no event loop, no log.

`python benchmarks/decision_load.py` prints nanoseconds per decision as one JSON object, by kind
of request and size of the allowlist. Every second entry is an exact origin, the others are
patterns; the calling origin is the last exact entry, or not listed.
"""

import json
import timeit

from corsproxy.config.reader import read_policy
from corsproxy.core.decision import decide
from corsproxy.core.messages import Fields, RequestHead
from corsproxy.core.policy import Policy

SIZES = (10, 1_000, 10_000)
REPEATS = 5
REPEAT_SECONDS = 0.05
LISTED = b"https://app-last.example.com"
UNLISTED = b"https://app-last.example.net"

BROWSER_FIELDS: Fields = (
    (b"Host", b"localhost:8010"),
    (b"Connection", b"keep-alive"),
    (b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0"),
    (b"Accept", b"application/json"),
    (b"Sec-Fetch-Site", b"cross-site"),
    (b"Sec-Fetch-Mode", b"cors"),
    (b"Sec-Fetch-Dest", b"empty"),
    (b"Accept-Encoding", b"gzip, deflate, br, zstd"),
    (b"Accept-Language", b"en-GB,en;q=0.9"),
)


def policy_of(size: int) -> Policy:
    """Return the policy of an allowlist with `size` entries, read from YAML."""
    entries = []
    for number in range(size // 2 - 1):
        entries += [f"https://app-{number}.example.com", f"https://*.team-{number}.example.com"]
    entries += ["https://*.team-last.example.com", LISTED.decode()]
    lines = ["upstream: http://127.0.0.1:9000", "cors:", "  allow_origins:"]
    lines += [f'    - "{entry}"' for entry in entries]
    return read_policy("\n".join(lines), "corsproxy.yaml", {}, "/").policy


def request_of(kind: str) -> RequestHead:
    """Return the head that a browser sends: `forward`, `refused` or `preflight`."""
    origin = UNLISTED if kind == "refused" else LISTED
    fields = (*BROWSER_FIELDS, (b"Origin", origin))
    if kind == "preflight":
        asked = (
            (b"Access-Control-Request-Method", b"PUT"),
            (b"Access-Control-Request-Headers", b"authorization,content-type"),
        )
        return RequestHead("OPTIONS", b"/api/items?page=2", (*fields, *asked))
    return RequestHead("GET", b"/api/items?page=2", fields)


def nanoseconds(policy: Policy, request: RequestHead) -> float:
    """Return the cost of one decision: the best of several repeats."""
    timer = timeit.Timer(lambda: decide(policy, request))
    number = 100
    while timer.timeit(number) < REPEAT_SECONDS:
        number *= 2
    return min(timer.repeat(REPEATS, number)) / number * 1e9


def main() -> None:
    """Measure every kind at every size."""
    costs = {}
    for size in SIZES:
        policy = policy_of(size)
        for kind in ("forward", "preflight", "refused"):
            costs[f"{kind}-{size}"] = nanoseconds(policy, request_of(kind))
    print(json.dumps(costs))


if __name__ == "__main__":
    main()
