"""The command that installs optional packages beside corsproxy, for the way it is installed.

It names the packages themselves: an extra would have to be found on an index, under a name that
is not corsproxy's there.
"""

import os
import shlex
import sys
from importlib.util import find_spec


def installing(*packages: str, newer: bool = False) -> str:
    """Return the command that installs packages for this interpreter; `newer` replaces those that
    are there."""
    names = " ".join(packages)
    if os.path.exists(os.path.join(sys.prefix, "pipx_metadata.json")):
        flag = " --force" if newer else ""
        return f"pipx inject{flag} {shlex.quote(os.path.basename(sys.prefix))} {names}"
    python, flag = shlex.quote(sys.executable or "python3"), " -U" if newer else ""
    if find_spec("pip") is None:  # an environment that uv made, such as that of `uv tool`
        return f"uv pip install{flag} --python {python} {names}"
    return f"{python} -m pip install{flag} {names}"
