"""The method as pure torch: losses, one step, the meta-gradient. Imports nothing above it."""
