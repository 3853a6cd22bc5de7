"""Where auxiliary labels come from."""
