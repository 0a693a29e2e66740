"""The operating system: descriptors, memory, sockets, the service manager."""
