"""One program per candidate, all with the same job; each runs in a process of its own until it is killed."""
