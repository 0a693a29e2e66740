"""The trust stores of browsers and systems, and the commands that add an authority to one or
remove it.

Only plans: what is returned is shown before anything runs. Chromium and Firefox on Linux have
their own stores (NSS), independent of the system's.
"""

import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import which
from typing import Final, NamedTuple

from corsproxy.core.advice.operation import NSS_PACKAGES, TRUST_AS_ROOT

Command = tuple[str, ...]

_FILE_NAME: Final = "corsproxy.crt"
# Directories from which distributions read further authorities, with their update commands.
_ANCHORS: Final[tuple[tuple[str, Command], ...]] = (
    ("/usr/local/share/ca-certificates", ("update-ca-certificates",)),
    ("/etc/pki/ca-trust/source/anchors", ("update-ca-trust", "extract")),
    ("/etc/ca-certificates/trust-source/anchors", ("trust", "extract-compat")),
    ("/usr/share/pki/trust/anchors", ("update-ca-certificates",)),
)
_FIREFOX_ON_LINUX: Final = (
    ".mozilla/firefox",
    # The profile directory of newer versions.
    ".config/mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/config/mozilla/firefox",
)
_FIREFOX_ON_MACOS: Final = ("Library/Application Support/Firefox/Profiles",)


class Subject(NamedTuple):
    """The authority to trust, or to remove."""

    file: Path
    """Its certificate."""
    name: str
    serial: str
    """In hexadecimal digits."""


class Machine(NamedTuple):
    """What the plan depends on."""

    home: Path
    path: str | None
    """The directories of PATH."""
    is_root: bool
    platform: str = sys.platform
    root: Path = Path("/")

    def has(self, program: str) -> bool:
        return which(program, path=self.path) is not None


class Step(NamedTuple):
    """Commands for one store."""

    store: str
    commands: tuple[Command, ...]
    only_if: Command | None = None
    """A command that must succeed; otherwise there is nothing to do."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The commands as one would type them."""
        return tuple(map(shlex.join, self.commands))


class Plan(NamedTuple):
    """The steps, and the stores that cannot be changed."""

    steps: tuple[Step, ...]
    obstacles: tuple[str, ...]


def plan(subject: Subject, machine: Machine, *, remove: bool = False) -> Plan:
    """Return how to make every store that is found trust `subject`, or remove it."""
    obstacles: list[str] = []
    if machine.platform == "win32":
        return Plan((_windows(subject, remove),), ())
    steps = [*_nss_steps(subject, machine, remove, obstacles)]
    if machine.platform == "darwin":
        steps.insert(0, _macos(subject, machine, remove))
    else:
        steps += _linux(subject, machine, remove, obstacles)
    return Plan(tuple(steps), tuple(obstacles))


def _windows(subject: Subject, remove: bool) -> Step:
    how = (
        ("-delstore", "Root", subject.serial)
        if remove
        else ("-addstore", "Root", str(subject.file))
    )
    return Step("Windows (Edge, Chrome, Firefox)", (("certutil", "-user", *how),))


def _macos(subject: Subject, machine: Machine, remove: bool) -> Step:
    keychain = str(machine.home / "Library/Keychains/login.keychain-db")
    add = ("security", "add-trusted-cert", "-r", "trustRoot", "-k", keychain, str(subject.file))
    delete = ("security", "delete-certificate", "-t", "-c", subject.name, keychain)
    return Step("macOS (Safari, Chrome)", (delete if remove else add,))


def _linux(
    subject: Subject, machine: Machine, remove: bool, obstacles: list[str]
) -> Iterator[Step]:
    for directory, update in _ANCHORS:
        anchors = machine.root / directory.lstrip("/")
        if not (anchors.is_dir() and machine.has(update[0])):
            continue
        file = anchors / _FILE_NAME
        if remove and not file.exists():
            return
        if not machine.is_root and not machine.has("sudo"):
            obstacles.append(TRUST_AS_ROOT)
            return
        first = ("rm", "-f", str(file)) if remove else ("cp", str(subject.file), str(file))
        sudo = () if machine.is_root else ("sudo",)
        # A removed file is forgotten only when all are read again.
        fresh = ("--fresh",) if remove and update == ("update-ca-certificates",) else ()
        commands = ((*sudo, *first), (*sudo, *update, *fresh))
        yield Step("the system (curl, Python, wget)", commands)
        return


def _nss_steps(
    subject: Subject, machine: Machine, remove: bool, obstacles: list[str]
) -> Iterator[Step]:
    databases = dict(_databases(machine))
    if databases and not machine.has("certutil"):
        obstacles.append(NSS_PACKAGES)
        return
    for directory, browser in databases.items():
        where = ("certutil", "-d", f"sql:{directory}")
        named = ("-n", subject.name)
        if remove:
            if (directory / "cert9.db").exists():
                yield Step(browser, ((*where, "-D", *named),), (*where, "-L", *named))
            continue
        add = (*where, "-A", "-t", "C,,", *named, "-i", str(subject.file))
        if (directory / "cert9.db").exists():
            yield Step(browser, (add,))
        else:
            make = ("mkdir", "-p", str(directory))
            yield Step(browser, (make, (*where, "-N", "--empty-password"), add))


def _databases(machine: Machine) -> Iterator[tuple[Path, str]]:
    """Yield the directories of NSS databases, with the browsers that use them."""
    home = machine.home
    if machine.platform != "darwin":
        yield home / ".pki/nssdb", "Chromium, Chrome, Edge, Brave"
        snap = home / "snap/chromium/current/.pki/nssdb"
        if snap.parent.parent.is_dir():
            yield snap, "Chromium (snap)"
    places = _FIREFOX_ON_MACOS if machine.platform == "darwin" else _FIREFOX_ON_LINUX
    for place in places:
        for database in sorted((home / place).glob("*/cert9.db")):
            yield database.parent, f"Firefox ({database.parent.name})"


def machine_of(environ: Mapping[str, str], home: Path, *, is_root: bool) -> Machine:
    """Return this machine, as a process with that environment sees it."""
    return Machine(home, environ.get("PATH"), is_root)
