"""What is predicted: the primary task, and how the auxiliary classes are numbered."""
