"""The pages of jobs: lists, progress, results, and the form that composes operations."""
