"""A run of the proxy: start, reload, signals, drain, end."""
