"""Samples on the device, cut into batches."""
