"""Origins and the patterns that name them (Fetch, "Origin" header; URL, "origin").

`parse_origin` takes what a browser sent and never raises. `parse_origin_pattern` takes
what a person wrote in the allowlist and says why not. `OriginSet` answers "which entry
allows this origin" at a cost that does not depend on the number of entries.
"""
