"""What all tests share: signals as in a terminal, and the profiles of Hypothesis.

`--hypothesis-profile` selects another profile.
"""

import importlib
import pkgutil
import signal

from hypothesis import settings

import corsproxy

# A shell starts background jobs with SIGINT ignored. The programs that the tests start would
# inherit that, and Ctrl-C would not end them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Hypothesis tries the constants of every module that is loaded. Load them all: inputs must not
# depend on which tests ran before in the same process.
for module in pkgutil.walk_packages(corsproxy.__path__, "corsproxy."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)

# The same inputs in every run, and no test that fails because the machine is busy.
settings.register_profile("ci", deadline=None, derandomize=True)
# New inputs in every run: for `make explore`.
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile("ci")
