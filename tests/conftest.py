"""Hypothesis profiles; `--hypothesis-profile` selects another one."""

from hypothesis import settings

# The same inputs in every run, and no test that fails because the machine is busy.
settings.register_profile("ci", deadline=None, derandomize=True)
# New inputs in every run: for `make explore`.
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile("ci")
