"""Time, operations and memory of everything that trains or predicts."""
