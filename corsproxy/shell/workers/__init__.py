"""Several processes that answer requests, and their supervisor."""
