"""Generated policies on real engines: `python -m tests.export.check [--examples 500] [ENGINE…]`.

For each policy and each probe an engine may not let through more than the proxy itself does, nor
less, but where the loss report says so.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, assume, given, settings

from corsproxy.config.problems import ConfigError
from corsproxy.config.reader import read_policy
from tests.export.comparison import Compared, Verdict, compared, is_wider, verdict
from tests.export.policies import files, probes_for, text_of
from tests.export.probes import Got, Probe
from tests.export.running import ENGINES

EXAMPLES = 500


def check(engine: str, content: dict[str, Any]) -> None:
    """Fail where `engine` differs from the proxy itself in a way that is not reported."""
    try:
        read_policy(text_of(content, 1, 2, 3), "corsproxy.yaml", {}, "/")
    except ConfigError:
        assume(False)
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        found = asyncio.run(compared(
            engine, lambda *ports: text_of(content, *ports), probes_for(content), Path(directory)
        ))  # fmt: skip
    unlike = list(_unreported(engine, found))
    assert not unlike, "\n".join(unlike)


def _unreported(engine: str, found: Compared) -> list[str]:
    words = " ".join(loss.words for loss in found.exported.losses)
    lines = []
    for probe, got, own, port in found.answers:
        one, other = verdict(probe, got, port), verdict(probe, own, port)
        wider = is_wider(one, other)
        if probe.kind in ENGINES[engine].reported:
            continue
        lines += _changed_values(probe, got, own)
        if one == other:
            continue
        if wider or not _exposes_less(words, one, other):
            label = "wider" if wider else "unlike"
            lines.append(f"{label}: {probe}: {got.status} {one} for {own.status} {other}")
    return lines


def _changed_values(probe: Probe, got: Got, own: Got) -> list[str]:
    """Return what became of texts of the file on their way through an engine's configuration."""
    if got.seen is None or own.seen is None:
        return []
    sent = [[value for name, value in each.seen["fields"] if name.lower() == "x-api-key"]
            for each in (got, own) if each.seen is not None]  # fmt: skip
    set_to = [[value for name, value in each.fields if name.lower() == b"x-set"]
              for each in (got, own)]  # fmt: skip
    found = [] if sent[0] == sent[1] else [f"sent: {probe}: {sent[0]} for {sent[1]}"]
    if set_to[0] != set_to[1]:
        found.append(f"set: {probe}: {set_to[0]} for {set_to[1]}")
    if got.seen["target"] != own.seen["target"]:
        found.append(f"target: {probe}: {got.seen['target']} for {own.seen['target']}")
    return found


def _exposes_less(words: str, one: Verdict, other: Verdict) -> bool:
    """Whether the only difference is that fewer fields are exposed, as the report says."""
    if one.forwarded != other.forwarded or "expose_headers" not in words:
        return False
    pairs = ((one.without, other.without), (one.with_credentials, other.with_credentials))
    return all(type(a) is type(b) for a, b in pairs)


def run(engine: str, examples: int, *, derandomize: bool = False) -> None:
    """Check so many policies; the smallest one that fails is what is shown."""

    @settings(
        max_examples=examples,
        derandomize=derandomize,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
    )
    @given(files())
    def law(content: dict[str, Any]) -> None:
        check(engine, content)

    law()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=EXAMPLES)
    parser.add_argument("engines", nargs="*", default=list(ENGINES))
    arguments = parser.parse_args()
    for name in arguments.engines:
        run(name, arguments.examples)
        sys.stdout.write(
            f"{name}: {arguments.examples} policies, nothing wider, all else reported\n"
        )
