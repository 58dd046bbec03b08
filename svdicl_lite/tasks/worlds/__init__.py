"""The sentences and tables that our own tasks are made of."""
