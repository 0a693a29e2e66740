"""corsproxy: a reverse proxy that adds CORS for the origins a YAML allowlist names.

Read the package from the bottom up: `core` decides and does no I/O, `config` turns the
allowlist file into a `Policy`, `shell` does the I/O and decides nothing, `cli` puts the
parts together.
"""

from corsproxy.errors import ConfigError

__all__ = ["ConfigError"]
__version__ = "0.1.0"
