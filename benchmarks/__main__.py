"""The command: selects what to measure, measures it, and writes the results.

Exit codes: 0 measured, 1 corsproxy itself could not be measured, 2 usage, 3 the machine lacks
something that every measurement needs.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import plot, report, results
from benchmarks.cache import CACHE, HERE, PROJECT, BusyError, MissingError, exclusive
from benchmarks.cache import system_program as find
from benchmarks.checks import DisqualifiedError, observe_strictness
from benchmarks.decisions import Decisions
from benchmarks.lifecycle import Counting, Inspecting, Memory, RequestLog, StartUp
from benchmarks.machine import Cores, choose_cores, describe, raise_descriptor_limit
from benchmarks.peer import Peer
from benchmarks.peers import DIRECT, NOT_COVERED, PEERS, QUICK
from benchmarks.processes import ProcessError, signals_as_exit
from benchmarks.results import PeerFacts, Results
from benchmarks.rounds import run
from benchmarks.scenarios import LOADS, Scenario, Settings
from benchmarks.stand import Stand

SCENARIOS: tuple[Scenario, ...] = (
    *LOADS,
    StartUp(),
    Memory(),
    RequestLog(),
    Counting(),
    Inspecting(),
    Decisions(),
)

FULL_SETTINGS = Settings(rounds=5, seconds=4, warm_up_seconds=2, held_connections=1000)
QUICK_SETTINGS = Settings(rounds=2, seconds=2, warm_up_seconds=1, held_connections=200)


class Selection(argparse.Namespace):
    """The options of the command line."""

    quick: bool
    rounds: int | None
    seconds: int | None
    only: list[str]
    cores: str | None
    output: Path | None
    render: Path | None
    list: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return the exit code."""
    parser = _parser()
    selection = parser.parse_args(arguments, Selection())
    if selection.list:
        _print_choices()
        return 0
    if selection.render is not None:
        return _render(selection.render)
    try:
        peers, scenarios = _choose(selection)
        cores = choose_cores(selection.cores)
    except ValueError as error:
        parser.error(str(error))
    try:
        for program in ("taskset", "wrk", "nginx"):
            find(program)
        with exclusive(), signals_as_exit():
            found = _measure(peers, scenarios, _settings(selection), cores)
    except (MissingError, BusyError, ProcessError) as error:
        _tell(str(error))
        return 3
    partial = selection.quick or bool(selection.only)
    directory = selection.output or (CACHE / "results" if partial else HERE)
    _write(found, directory)
    print(report.text(found))
    _tell(f"written to {directory}")
    return 0 if any(results.BASE in s["peers"] for s in found["scenarios"]) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks/run", description="Measure corsproxy and its peers side by side."
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="few peers, 2 rounds of 2 s; a first impression")
    add("--rounds", type=int, metavar="N", help="rounds, each with every peer")
    add("--seconds", type=int, metavar="S", help="seconds of each load")
    add(
        "--only",
        action="append",
        default=[],
        metavar="NAME,…",
        help="peers, scenarios or both; corsproxy is always among the peers",
    )
    add("--cores", metavar="P,L,U", help="cores for the peer, the load and the upstream")
    add(
        "--output",
        type=Path,
        metavar="DIR",
        help="where results go; without it a full run replaces RESULTS.md, "
        "any other is kept in .cache/results",
    )
    add("--render", type=Path, metavar="FILE", help="only rewrite the tables of a results.json")
    add("--list", action="store_true", help="list the peers and the scenarios")
    return parser


def _print_choices() -> None:
    print("peers:    ", ", ".join(peer.name for peer in (*PEERS, DIRECT)))
    print("scenarios:", ", ".join(scenario.key for scenario in SCENARIOS))


def _choose(selection: Selection) -> tuple[list[Peer], list[Scenario]]:
    """Return the selected peers and scenarios. Raises ValueError for unknown names."""
    everybody = (*PEERS, DIRECT)
    asked = {name.strip().lower() for names in selection.only for name in names.split(",")}
    peers = [peer for peer in everybody if peer.name.lower() in asked]
    scenarios = [scenario for scenario in SCENARIOS if scenario.key in asked]
    known = {peer.name.lower() for peer in peers} | {scenario.key for scenario in scenarios}
    if asked - known:
        raise ValueError(f"--only: no peer or scenario is called {min(asked - known)!r}; --list")
    if not peers:
        quick = selection.quick
        peers = [peer for peer in everybody if not quick or peer.name in QUICK]
    if PEERS[0] not in peers:
        peers.insert(0, PEERS[0])
    return peers, scenarios or list(SCENARIOS)


def _settings(selection: Selection) -> Settings:
    settings = QUICK_SETTINGS if selection.quick else FULL_SETTINGS
    return settings._replace(
        rounds=selection.rounds or settings.rounds, seconds=selection.seconds or settings.seconds
    )


def _measure(
    peers: Sequence[Peer], scenarios: Sequence[Scenario], settings: Settings, cores: Cores
) -> Results:
    raise_descriptor_limit()
    machine = describe(cores)
    if not cores.apart:
        _tell("fewer than three cores: peer, load and upstream share; the ratios mean little")
    with Stand(cores) as stand:
        present, facts, missing = _gather(stand, peers)
        outcomes = [run(stand, scenario, present, settings, _tell) for scenario in scenarios]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "machine": machine,
        "rounds": settings.rounds,
        "seconds": settings.seconds,
        "peers": facts,
        "missing": missing | NOT_COVERED,
        "scenarios": [results.of_outcome(outcome) for outcome in outcomes],
    }


def _gather(
    stand: Stand, peers: Sequence[Peer]
) -> tuple[list[Peer], list[PeerFacts], dict[str, str]]:
    """Find, install and start each peer once. Returns the peers that run, what is known about
    them, and why the others do not."""
    present, facts, missing = [], [], {}
    for peer in peers:
        try:
            version = peer.version()
            unlisted = "-"
            if peer.family != "none":
                with stand.start(peer, "files") as running:
                    unlisted = str(observe_strictness(peer, running.site, "/1k.json"))
        except (DisqualifiedError, MissingError, ProcessError) as error:
            missing[peer.name] = str(error)
            _tell(f"{peer.name}: {error}")
            continue
        present.append(peer)
        facts.append(
            PeerFacts(
                name=peer.name,
                family=peer.family,
                version=version,
                about=peer.about,
                unlisted=unlisted,
            )
        )
    return present, facts, missing


def _commit() -> str:
    """Return the measured commit, marked if the tree has uncommitted changes."""
    git = ["git", "-C", str(PROJECT), "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _render(path: Path) -> int:
    try:
        found = results.read(path)
    except (OSError, ValueError) as error:
        _tell(f"{path}: {error}")
        return 2
    _write(found, path.parent)
    print(report.text(found))
    return 0


def _write(found: Results, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    results.write(found, directory / "results.json")
    (directory / "RESULTS.md").write_text(report.markdown(found, "results.svg"))
    picture = plot.svg(found)
    if picture is not None:
        (directory / "results.svg").write_text(picture)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
