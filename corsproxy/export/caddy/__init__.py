"""Caddy: `map` decides where a request goes, and one `handle` for each decision acts on it."""
