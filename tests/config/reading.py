"""Short ways to read a file in a test."""

import re
from collections.abc import Mapping

from corsproxy.config.problems import ConfigError, Problem
from corsproxy.config.reader import read_policy
from corsproxy.core.policy import Policy, Route

# Lines of the example that name files which only their user has.
_OF_FILES = re.compile(r"(?m)^( *)#( *(?:tls|ca_file|cert_file|key_file):)")


def with_files(example: str) -> str:
    """Return the example file with the lines that name certificates."""
    return _OF_FILES.sub(r"\1\2", example)


MINIMAL = """\
upstream: https://api.example.com
cors:
  allow_origins: [http://localhost:5173]
"""

NAME = "corsproxy.yaml"
DIRECTORY = "/etc/corsproxy"


def policy_of(text: str | bytes, environ: Mapping[str, str] | None = None) -> Policy:
    """Return the policy of a file that must have no problem at all."""
    reading = read_policy(text, NAME, environ or {}, DIRECTORY)
    assert reading.warnings == ()
    return reading.policy


def problems_of(text: str | bytes, environ: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
    """Return every problem of a file, warnings included."""
    try:
        return read_policy(text, NAME, environ or {}, DIRECTORY).warnings
    except ConfigError as error:
        return error.problems


def codes_of(text: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the codes of every problem, in file order."""
    return [problem.code for problem in problems_of(text, environ)]


def route_of(*lines: str, environ: Mapping[str, str] | None = None) -> Route:
    """Return a route of https://api.example.com at /api with more keys."""
    return policy_of(route_text(*lines), environ).routes[0]


def route_text(*lines: str) -> str:
    """Return the file of `route_of`; the first of `lines` is its line 6."""
    more = "".join(f"    {line}\n" for line in lines)
    return f"""\
cors:
  allow_origins: [http://localhost:5173]
routes:
  - path: /api
    upstream: https://api.example.com
{more}"""
