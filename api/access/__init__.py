"""Who may do what: keys, scopes, authentication, throttling, and the audit log of what was done."""
