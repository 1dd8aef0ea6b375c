"""Our service and others beside it: who is compared, how long a caller waits, how soon each is there, the report."""
