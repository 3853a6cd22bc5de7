"""Does it help, by how much, and when not: all arms and rivals on images and tables."""
