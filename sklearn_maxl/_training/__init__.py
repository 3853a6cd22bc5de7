"""From settings and arrays to trained networks."""
