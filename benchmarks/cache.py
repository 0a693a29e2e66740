"""`.cache`: where packaged peers are installed and running peers keep files.

Nothing is installed outside of it, and nothing twice. Programs of the system (nginx, HAProxy,
Caddy, wrk) are used if they are installed, and reported as missing otherwise.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import trustme

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
CONFIGS = HERE / "configs"
CACHE = HERE / ".cache"
NODE = CACHE / "node"
CERTIFICATE = CACHE / "tls" / "server.pem"
"""The certificate of the TLS upstream, with its key."""
AUTHORITY = CACHE / "tls" / "authority.pem"
"""The authority that signed it."""
INSTALL_SECONDS = 600.0

# Debian installs servers such as nginx outside of a user's PATH.
SYSTEM_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


class MissingError(Exception):
    """A peer is not available on this machine; the message says why and what would help."""


class BusyError(Exception):
    """Another benchmark is running in this working tree."""


def system_program(name: str) -> str:
    """Return the path of a program of the system. Raises MissingError."""
    path = shutil.which(name, path=SYSTEM_PATH)
    if path is None:
        raise MissingError(f"{name} is not installed (on Debian: apt-get install {name})")
    return path


def node_module(name: str) -> Path:
    """Return the directory of an npm package, first installing all of them if needed.

    Raises MissingError.
    """
    node, npm = system_program("node"), system_program("npm")
    manifest = CONFIGS / "package.json"
    stamp = NODE / "installed.json"
    if not stamp.is_file() or stamp.read_bytes() != manifest.read_bytes():
        NODE.mkdir(parents=True, exist_ok=True)
        shutil.copy(manifest, NODE / "package.json")
        _run([npm, "install", "--no-audit", "--no-fund", "--loglevel=error"], NODE, node)
        shutil.copy(manifest, stamp)
    directory = NODE / "node_modules" / name
    if not directory.is_dir():
        raise MissingError(f"npm did not install {name}")
    return directory


def python_program(package: str, program: str) -> str:
    """Return the path of `program` from a Python package in a separate environment.

    Raises MissingError.
    """
    environment = CACHE / package
    path = environment / "bin" / program
    if not path.is_file():
        _run([sys.executable, "-m", "venv", "--clear", str(environment)], CACHE, package)
        pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", package]
        _run(pip, CACHE, package)
    return str(path)


@cache
def installed_project() -> Path:
    """Return the programs' directory of an environment with this project installed, compiled as
    in a release, and newly installed in every run. Raises MissingError."""
    environment = CACHE / "corsproxy"
    _run([sys.executable, "-m", "venv", "--clear", str(environment)], CACHE, "corsproxy")
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    _run([*pip, f"{PROJECT}[metrics]"], CACHE, "corsproxy", CORSPROXY_COMPILE="1")
    return environment / "bin"


def render(name: str, directory: Path, values: dict[str, str]) -> Path:
    """Copy `configs/NAME` into `directory` with each @KEY@ replaced; return the copy."""
    text = (CONFIGS / name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(text)
    return path


def make_certificate() -> None:
    """Write CERTIFICATE and AUTHORITY."""
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    CERTIFICATE.parent.mkdir(parents=True, exist_ok=True)
    pems = [leaf.private_key_pem, *leaf.cert_chain_pems]
    CERTIFICATE.write_bytes(b"".join(pem.bytes() for pem in pems))
    AUTHORITY.write_bytes(authority.cert_pem.bytes())


@contextmanager
def exclusive() -> Iterator[None]:
    """Lock the cache for one benchmark. Raises BusyError if another one is running."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BusyError("another benchmark runs in this working tree") from error
        yield


def _run(argv: Sequence[str], directory: Path, what: str, **variables: str) -> None:
    try:
        subprocess.run(
            argv,
            cwd=directory,
            env={**os.environ, **variables},
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise MissingError(f"installing {what} took more than {INSTALL_SECONDS:g} s") from error
    except subprocess.CalledProcessError as error:
        lines = str(error.stderr or error.stdout).strip().splitlines() or ["no message"]
        raise MissingError(f"installing {what} failed: {lines[-1]}") from error
