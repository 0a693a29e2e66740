"""corsproxy: a reverse proxy that adds CORS for the origins a YAML allowlist names.

Read the package from the bottom up: `core` decides and does no I/O, `config` turns the
allowlist file into a `Policy`, `shell` does the I/O and decides nothing, `cli` puts the
parts together.
"""

__all__ = ["ConfigError"]
__version__ = "0.1.0"

# Nothing is imported before the command handles signals: Ctrl-C would give a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from corsproxy.errors import ConfigError
else:

    def __getattr__(name):
        if name != "ConfigError":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from corsproxy.errors import ConfigError

        return ConfigError
