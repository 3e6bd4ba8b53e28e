"""The pages on which people see, review and analyze batches."""
