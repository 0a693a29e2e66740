"""What stands between a client and the core: connections, exchanges, responses."""
