"""The policy of `proxy_app` for each prefix under which the application is mounted."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from corsproxy.config.reader import Reading, read_policy
from corsproxy.config.short_upstream import full_upstream
from corsproxy.config.yaml.source_text import MAX_BYTES
from corsproxy.core.policy import Policy, Route
from corsproxy.core.source import ARGUMENTS
from corsproxy.shell.feed.clock import utc_day
from corsproxy.shell.upstream.upstream_tls import check_tls

_CORS_KEYS: Final = frozenset(
    {
        "allow_origins", "allow_methods", "allow_headers", "expose_headers", "allow_credentials",
        "max_age", "unlisted_origins",
    }
)  # fmt: skip


def text_of(upstream: str, keys: Mapping[str, Any]) -> str:
    """Return the equivalent file for a URL and the keys of a route, those of `cors:` flat or as
    `cors`.

    Raises TypeError if a key of `cors:` is given both ways.
    """
    flat = {key: keys[key] for key in keys if key in _CORS_KEYS}
    route: dict[str, Any] = {"path": "/", "upstream": full_upstream(upstream)}
    route |= {key: keys[key] for key in keys if key not in _CORS_KEYS}
    if flat:
        cors = route.get("cors", {})
        if not isinstance(cors, Mapping) or set(cors) & set(flat):
            raise TypeError(f"{', '.join(flat)}: give either cors or its keys")
        route["cors"] = {**cors, **flat}
    # JSON is YAML, too.
    return json.dumps({"routes": [_literal(route)]}, indent=2, default=list)


def _literal(value: Any) -> Any:
    """Return the value as it is to be written for its texts to be taken as they are: what looks
    like an environment variable in a program's argument, such as a password, is none."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: _literal(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_literal(each) for each in value]
    return value


def mounted(policy: Policy, prefix: bytes) -> Policy:
    """Return the policy of the same proxy below `prefix`, which upstreams never see."""
    if not prefix:
        return policy
    return replace(policy, routes=tuple(_mounted(route, prefix) for route in policy.routes))


def _mounted(route: Route, prefix: bytes) -> Route:
    own = b"" if route.path == b"/" else route.path
    return replace(route, path=prefix + own, mount=prefix)


class Policies:
    """The policy in force, by the prefix under which the application is mounted."""

    def __init__(self, read: Callable[[bytes, str], Reading], content: bytes) -> None:
        """`read` compiles `content` to a policy for a day. Raises ConfigError."""
        self.read: Final = read
        self.content = content
        """The text of the policy in force."""
        self._day = utc_day()
        self._policy = read(content, self._day).policy
        self._mounted: dict[str, Policy] = {}

    def at(self, prefix: str) -> Policy:
        """Return today's policy under `prefix`."""
        if utc_day() != self._day:
            # Entries may have a last day.
            self._day = utc_day()
            self.adopt(self.read(self.content, self._day).policy, self.content)
        found = self._mounted.get(prefix)
        if found is None:
            found = self._mounted[prefix] = mounted(self._policy, prefix.encode())
        return found

    def adopt(self, policy: Policy, content: bytes) -> None:
        """Put `policy`, compiled from `content`, in force."""
        self._policy, self.content = policy, content
        self._mounted.clear()


def policies_of(
    upstream: str | None, config: str | Path | None, keys: Mapping[str, Any]
) -> Policies:
    """Return the policies for the arguments of `proxy_app`.

    Raises ConfigError for a configuration that is refused, OSError for a file that cannot be
    read, TypeError unless either a URL or a file is given.
    """
    if (upstream is None) == (config is None):
        raise TypeError("give either the URL of an upstream or config=FILE")
    if upstream is not None:
        name, directory = ARGUMENTS, os.getcwd()
        content = text_of(upstream, keys).encode("utf-8", "surrogatepass")
    else:
        if keys:
            raise TypeError(f"{', '.join(keys)}: with config, route keys go into the file")
        name = os.fspath(config or "")
        directory = os.path.dirname(os.path.abspath(name))
        with open(name, "rb") as source:
            # One byte over the limit, so that the reader sees that the file is too large.
            content = source.read(MAX_BYTES + 1)

    def read(text: bytes, day: str) -> Reading:
        environ = {} if upstream is not None else os.environ
        return read_policy(text, name, environ, directory, check_tls, day=day)

    return Policies(read, content)
