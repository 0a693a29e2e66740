"""HTTP/1.1 without I/O, both legs: readers and writers of heads, chunked coding."""
