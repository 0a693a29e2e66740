"""What all tests share: signals as in a terminal, and the profiles of Hypothesis.

`--hypothesis-profile` selects another profile.
"""

import signal

from hypothesis import settings

# A shell starts background jobs with SIGINT ignored. The programs that the tests start would
# inherit that, and Ctrl-C would not end them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same inputs in every run, and no test that fails because the machine is busy.
settings.register_profile("ci", deadline=None, derandomize=True)
# New inputs in every run: for `make explore`.
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile("ci")
