"""Search for inputs that break a promise: `make fuzz SECONDS=600`.

    python -m programs.fuzz --seconds 600 [--jobs 2] [--keep] [TARGET ...]

Each target runs for that many seconds in its own process, starting from its corpus. An input that
breaks a promise is left in `.fuzz/<target>/`, with instructions to repeat it. `--keep` writes the
smallest set of inputs with the same coverage to the corpus.
"""

import argparse
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from programs.fuzz.corpus import load, save
from programs.fuzz.smallest import smallest
from programs.fuzz.targets import TARGETS

WORK = Path(".fuzz")
LONGEST = 600


def libfuzzer(name: str, *arguments: str) -> int:
    """Run one target under libFuzzer, in its own process."""
    with (WORK / name / "log").open("ab") as log:
        command = [sys.executable, "-m", "programs.fuzz.run", name, *arguments]
        return subprocess.run(command, stdout=log, stderr=log).returncode


def fuzz(name: str, seconds: int, *, keep: bool) -> bool:
    """Return whether every promise was kept."""
    target, work = TARGETS[name], WORK / name
    inputs = work / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate([*load(name), *target.seeds]):
        (inputs / f"known-{number}").write_bytes(data)
    options = [f"-max_len={LONGEST}", "-len_control=0", "-timeout=10", "-verbosity=0"]
    if target.words:
        words = work / "words"
        words.write_text("".join(f'"{escaped(word)}"\n' for word in target.words if word))
        options.append(f"-dict={words}")
    options += [f"-max_total_time={seconds}", f"-artifact_prefix={work}/broken-"]
    kept = libfuzzer(name, *options, str(inputs)) == 0
    outcome = "every promise kept" if kept else f"a promise is broken, see {work}"
    sys.stdout.write(f"{name}: {outcome}\n")
    if keep and kept:
        save(name, smallest(target.run, [path.read_bytes() for path in inputs.iterdir()]))
    return kept


def escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m programs.fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="rewrite the corpus")
    given = parser.parse_args()
    unknown = set(given.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target {', '.join(unknown)}: there are {', '.join(TARGETS)}")
    names = given.targets or list(TARGETS)
    with ThreadPoolExecutor(given.jobs) as pool:
        found = list(pool.map(lambda name: fuzz(name, given.seconds, keep=given.keep), names))
    if all(found):
        shutil.rmtree(WORK, ignore_errors=True)
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
