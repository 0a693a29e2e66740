"""Which frameworks a run meets: Python's always, those of Ruby and Node where `make frameworks`
has installed them."""

import os

SLOW = ["test_more_paths.py", "test_node.py", "test_ruby.py"]
collect_ignore = [] if os.environ.get("FRAMEWORKS") == "all" else SLOW
