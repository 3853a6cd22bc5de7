"""Multi-task network and label generator around any trunk."""
