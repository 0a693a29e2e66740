"""Several processes that answer requests, and the one that minds them."""
