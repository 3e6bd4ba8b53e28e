"""When and where work is done: jobs and operations, the engine that runs them, and stored results."""
