"""Reports on exchanges and on the process: records, access log, announcements."""
