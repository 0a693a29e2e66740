"""Fuzzing of everything that reads untrusted bytes.

A target is a function of bytes that raises if a promise is broken. `make fuzz` searches for such
bytes, guided by coverage (libFuzzer through Atheris). Every test run replays the corpus, a small
set of inputs that covers most of it.
"""
