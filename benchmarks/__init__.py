"""corsproxy and its peers: the same job, on the same core, in alternating rounds."""
