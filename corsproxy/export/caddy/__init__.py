"""Caddy: `map` decides where a request goes, and a `handle` for each way does it."""
