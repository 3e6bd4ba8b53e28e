"""Runs operations: PostgreSQL decides (jobs, leases), Dramatiq wakes up workers, subprocesses compute."""
