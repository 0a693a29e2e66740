"""Mixed load over a long time, and restarts under load: nothing lost, nothing wrong, nothing kept.

`make soak SECONDS=600` runs it for ten minutes; the tests here run it for seconds.
"""
