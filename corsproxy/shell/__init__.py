"""All I/O: the listeners, the upstream connections, the log, the clock. Decides nothing."""
