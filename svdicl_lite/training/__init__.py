"""Training: how the shipped models were made, one recipe each, and one loop for all."""
