"""The table of operations: specifications, parameter schemas, planning of a sequence."""
