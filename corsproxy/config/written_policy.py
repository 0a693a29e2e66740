"""The allowlist file that allows exactly what a command line with an UPSTREAM allows.

`corsproxy init UPSTREAM` writes it: who has tried a call without a file goes on with one, and
nothing that worked stops working.
"""

import json
import os.path
import re
from collections.abc import Iterable, Iterator

from corsproxy.config.problems import Problem
from corsproxy.config.without_file import Quick, read_headers
from corsproxy.core.messages import Field
from corsproxy.core.origins import LOOPBACK_ORIGINS, OriginSet
from corsproxy.core.policy import CorsRules, Policy

MODELINE = "# yaml-language-server: $schema=./corsproxy.schema.json\n"
"""Lets editors complete the file; `corsproxy schema > corsproxy.schema.json` writes the schema."""

_NOT_IN_NAMES = re.compile(r"^(?=[0-9])|[^A-Z0-9]")

_TOP = Policy((), CorsRules(OriginSet(())))


def written_policy(quick: Quick, policy: Policy, directory: str) -> str:
    """Return the text of the file. `policy` is what `quick` and the other flags mean;
    `directory` is where the file will be."""
    return MODELINE + "\n".join([*_lines(quick, policy, directory), ""])


def _lines(quick: Quick, policy: Policy, directory: str) -> Iterator[str]:
    yield "# Which pages may call which API; what `corsproxy " + _word(quick.upstream) + "` allows."
    yield "# While the proxy runs, a saved edit takes effect at once."
    yield "#   corsproxy check                             reports problems in this file"
    yield "#   corsproxy explain                           explains what happens to a call, and why"
    yield "#   corsproxy schema > corsproxy.schema.json    lets editors complete it"
    yield ""
    yield from _top(policy)
    own = list(_route(quick, policy, directory))
    if not own:
        yield f"upstream: {_text(quick.url)}"
    yield "cors:"
    yield "  # Where your pages come from: scheme, host and port, as in the address bar."
    yield "  allow_origins:"
    for origin in (*LOOPBACK_ORIGINS, *quick.allow_origins):
        yield f"    - {_text(origin)}"
    yield '  # Replace "*" by what your pages use before others rely on this file.'
    yield '  allow_methods: ["*"]'
    yield '  allow_headers: ["*"]'
    yield '  expose_headers: ["*"]   # what scripts may read of a response'
    yield "  allow_credentials: true # pages may send their user's cookies"
    if own:
        yield "routes:"
        yield "  - path: /"
        yield f"    upstream: {_text(quick.url)}"
        yield from own


def _top(policy: Policy) -> Iterator[str]:
    """The keys that other flags stand for, where they are not the default."""
    if policy.listen != _TOP.listen:
        yield f"listen: [{', '.join(_text(str(each)) for each in policy.listen)}]"
    if policy.admin is None:
        yield 'admin: "off"'
    elif policy.admin != _TOP.admin:
        yield f"admin: {_text(str(policy.admin))}"
    if policy.log.format != "auto":
        yield f"log: {{format: {policy.log.format}}}"
    if policy.drain_delay != _TOP.drain_delay:
        yield f"drain_delay: {policy.drain_delay:g}s"
    if policy.shutdown_grace != _TOP.shutdown_grace:
        yield f"shutdown_grace: {policy.shutdown_grace:g}s"


def _route(quick: Quick, policy: Policy, directory: str) -> Iterator[str]:
    """The keys of the route, where it has any of its own."""
    route = policy.routes[0]
    if quick.preserve_host:
        yield "    preserve_host: true"
    if quick.origin is not None:
        yield f"    origin: {quick.origin}"
    if route.tls.ca_file is not None and route.tls.verify:
        yield f"    tls: {{ca_file: {_text(_relative(route.tls.ca_file, directory))}}}"
    elif not route.tls.verify:
        yield "    tls: {verify: false}   # accepts any certificate; ca_file is safer"
    problems: list[Problem] = []
    fields = read_headers(quick.headers, problems)
    if fields:
        yield f"    # Keep secrets in the environment: write {variables_for(fields)} instead."
        yield "    request_headers:"
        yield "      set:"
        for name, value in fields:
            text = value.decode("utf-8", "surrogateescape")
            yield f"        {_text(name.decode('ascii'))}: {_text(text)}"


def variables_for(fields: Iterable[Field]) -> str:
    """Return the references that may stand in the file for the values of headers."""
    names = (_NOT_IN_NAMES.sub("_", name.decode("ascii").upper()) for name, _ in fields)
    return ", ".join(f'"${{{name}}}"' for name in names)


def _relative(path: str, directory: str) -> str:
    return os.path.relpath(path, directory) if path.startswith(directory + os.sep) else path


def _text(value: str) -> str:
    """A value as YAML has it, in double quotes where it could be read otherwise; a dollar
    sign stands for itself."""
    return json.dumps(value.replace("$", "$$"), ensure_ascii=False)


def _word(upstream: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in upstream)
