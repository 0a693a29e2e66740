"""The way to the upstreams: names, connections, pools, and the seam before them all."""
