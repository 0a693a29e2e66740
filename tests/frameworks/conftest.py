"""Which frameworks a run meets: Python's always, those of Ruby and Node where `make frameworks`
has installed them."""

import os

collect_ignore = [] if os.environ.get("FRAMEWORKS") == "all" else ["test_node.py", "test_ruby.py"]
