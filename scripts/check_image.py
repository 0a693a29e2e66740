"""Build the container image without a registry, run it, and measure it.

Needs root on Debian; `make image-check` runs it. The Dockerfile is used unchanged. Its base image
comes from debootstrap instead of a registry, and is committed under the base's name in a separate
storage, where no other build finds it. It differs from the official image:

* Python is Debian's package of the same minor version in /usr, linked into /usr/local/bin, where
  the official image has its own build. Its headers depend on those of the C library, but not on a
  compiler. As in the official image, the standard library has no bytecode.
* The documentation and the locales that slim images leave out are present. This does not matter,
  because sizes are given relative to the base.

`container.py` runs and measures the image.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from container import CheckError, Image, run, show

PROJECT = Path(__file__).resolve().parent.parent
WORK = Path("/var/tmp/corsproxy-image")
DEBIAN_PACKAGES = {"buildah": "buildah", "debootstrap": "debootstrap", "ip": "iproute2"}
IMAGE = "localhost/corsproxy:check"


class Store:
    """buildah with a separate storage, which needs neither a daemon nor overlay file systems."""

    def __init__(self, work: Path) -> None:
        where = ["--root", f"{work}/storage", "--runroot", f"{work}/run"]
        self._buildah = ["buildah", *where, "--storage-driver", "vfs"]

    def __call__(self, *arguments: str) -> str:
        """Run buildah; return its output without the final newline.

        Raises: CheckError when it fails.
        """
        return run(*self._buildah, *arguments).strip()

    def has(self, image: str) -> bool:
        """Whether the image is in this storage."""
        inspect = [*self._buildah, "inspect", "--type", "image", image]
        return subprocess.run(inspect, capture_output=True).returncode == 0


def check(work: Path) -> None:
    """Make the base once, build the image, and measure it in new namespaces.

    Raises: CheckError for the first promise that was not kept.
    """
    if os.geteuid() != 0:
        raise CheckError("needs root, for debootstrap and for namespaces")
    install(package for program, package in DEBIAN_PACKAGES.items() if not shutil.which(program))
    work.mkdir(parents=True, exist_ok=True)
    store = Store(work)
    base = base_image()
    make_base(store, base, work / "rootfs")
    build(store)
    containers = [store("from", "--pull-never", image) for image in (base, IMAGE)]
    try:
        base_root, root = (store("mount", container) for container in containers)
        show("size over the base", f"{(disk_use(root) - disk_use(base_root)) / 1e6:.1f} MB")
        image = json.dumps(described(json.loads(store("inspect", "--type", "image", IMAGE)), root))
        measure = [sys.executable, str(PROJECT / "scripts/container.py"), image, str(work)]
        if subprocess.run(["unshare", "--mount", "--net", "--", *measure]).returncode != 0:
            raise CheckError("the image was built, but does not run as it should")
    finally:
        store("rm", *containers)


def base_image() -> str:
    """The base that the Dockerfile names, with the registry that engines add to a bare name."""
    named = re.search(r"^ARG BASE=(\S+)$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    if named is None:
        raise CheckError("the Dockerfile names no base image")
    return f"docker.io/library/{named[1]}"


def make_base(store: Store, name: str, root: Path) -> None:
    """Commit a substitute for the official base image under its name, unless an earlier run did."""
    if store.has(name):
        return
    version, _, suite = name.rpartition(":")[2].split("-")
    shutil.rmtree(root, ignore_errors=True)
    python = f"python{version},python{version}-dev,python{version}-venv,python3-pip"
    run("debootstrap", "--variant=minbase", f"--include=ca-certificates,{python}", suite, str(root))
    for link in ("python3", "python", f"python{version}"):
        (root / "usr/local/bin" / link).symlink_to(f"/usr/bin/python{version}")
    for bytecode in list(root.glob("usr/lib/python3*/**/__pycache__")):
        shutil.rmtree(bytecode, ignore_errors=True)
    container = store("from", "scratch")
    store("add", "--quiet", container, str(root), "/")
    path = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    store("config", "--env", f"PATH={path}", "--cmd", "python3", container)
    store("commit", "--quiet", "--rm", container, name)
    shutil.rmtree(root)


def build(store: Store) -> None:
    """Build the Dockerfile, unchanged, on the base in the storage."""
    began = time.monotonic()
    how = ["--isolation", "chroot", "--format", "docker", "--layers=false", "--pull-never"]
    store("bud", *how, *pip_settings(), "--tag", IMAGE, str(PROJECT))
    show("build", f"{time.monotonic() - began:.0f} s")


def pip_settings() -> list[str]:
    """Mounts that give pip in the build this machine's indexes and authorities; none is copied."""
    files = {
        "/etc/ssl/certs/ca-certificates.crt": "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pip.conf": "/etc/pip.conf",
        f"{Path.home()}/.config/pip/pip.conf": "/root/.config/pip/pip.conf",
    }
    return [f"--volume={here}:{there}:ro" for here, there in files.items() if Path(here).exists()]


def described(inspected: Mapping[str, Mapping[str, object]], root: str) -> Image:
    """The image's own settings, as an engine reads them."""
    config = inspected["Docker"]["config"]
    match config:
        case {
            "Env": [*environment],
            "WorkingDir": str(directory),
            "User": str(user),
            "Entrypoint": [*entrypoint],
            "Cmd": [*command],
            "Healthcheck": {"Test": ["CMD", *health]},
        }:
            return Image(root, environment, directory, user, entrypoint, command, health)
        case _:
            raise CheckError(f"the image's settings are incomplete: {config}")


def disk_use(root: str) -> int:
    """Bytes on disk under a directory."""
    return int(run("du", "--summarize", "--block-size=1", root).split()[0])


def install(packages: Iterable[str]) -> None:
    """Install the Debian packages that are missing."""
    missing = list(packages)
    if missing:
        run("apt-get", "update")
        run("apt-get", "install", "--yes", "--no-install-recommends", *missing)


if __name__ == "__main__":
    try:
        check(WORK)
    except CheckError as error:
        sys.exit(f"image check: {error}")
