"""What only operating systems need: descriptors, memory, sockets, the service manager."""
