"""Functions that run in a worker subprocess: no Django here, a subprocess must start fast."""
