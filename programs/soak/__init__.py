"""Mixed load over a long time, and restarts under load: nothing lost, wrong or leaked.

`make soak SECONDS=600` runs it for ten minutes; the tests run it for seconds.
"""
