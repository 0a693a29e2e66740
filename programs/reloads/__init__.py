"""Live reloads under load: none loses a request, mixes two policies, or delays an exchange much.

`make reloads` does a thousand of them; the tests here do some.
"""
