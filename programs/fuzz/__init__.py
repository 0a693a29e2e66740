"""Inputs by the million against the parts that read what strangers send.

A target is a function of bytes that raises where a promise is broken. `make fuzz` looks for
such bytes, guided by the code that they reach (libFuzzer through Atheris); every test run
replays the corpus, the small set of inputs that reaches most of it.
"""
