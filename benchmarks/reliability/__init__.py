"""Files and numbers made to harm: what is tried, and whether it held."""
