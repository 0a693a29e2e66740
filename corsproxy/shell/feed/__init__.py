"""What is told of exchanges and of the process: records, access log, announcements."""
