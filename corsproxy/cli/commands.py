"""The commands by name, and what Ctrl-C means to them. Known before anything is imported."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_COMMAND = "serve"

LASTING = ("serve", "demo")
"""The commands that run until they are stopped."""

COMMANDS = {
    "serve": "Run the proxy. `corsproxy URL` is short for `corsproxy serve URL`.",
    "check": "Report every problem in an allowlist file.",
    "explain": "Explain what the proxy would decide about a request, and why.",
    "test": "Check expectations about an allowlist or a running deployment.",
    "learn": "Propose the allowlist that refused calls would need.",
    "diff": "Compare what two allowlist files allow.",
    "allow": "Add origins, methods, headers or hosts to the allowlist file.",
    "init": "Write a commented corsproxy.yaml to start from.",
    "export": "Print the allowlist as the configuration of nginx, Envoy and others.",
    "schema": "Print the JSON Schema of the file, for editors.",
    "trust": "Make browsers trust the certificates of --https.",
    "health": "Ask a running proxy whether it is ready.",
    "drain": "Ask a running proxy to begin draining, for preStop hooks.",
    "version": "Print the version.",
    "help": "Show the flags of a command.",
    "completion": "Print the completion script for bash, zsh or fish.",
    "demo": "Show corsproxy in action: an API without CORS, a page that calls it, and the proxy.",
}


def command_of(arguments: "Sequence[str]") -> str:
    """Return the command that the arguments of the command line run, if they are correct."""
    first = arguments[0] if arguments else DEFAULT_COMMAND
    return first if first in COMMANDS else DEFAULT_COMMAND


def code_at_interrupt(arguments: "Sequence[str]") -> int:
    """Return the exit code for Ctrl-C: 0 for a command that runs until it is stopped, and
    otherwise 130, as shells report SIGINT."""
    return 0 if command_of(arguments) in LASTING else 130
