"""Every change to a batch is one recorded step that can be undone and redone."""
