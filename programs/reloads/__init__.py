"""Live reloads under load: none loses a request, mixes two policies, or delays exchanges much.

`make reloads` does a thousand of them; the tests do a few.
"""
