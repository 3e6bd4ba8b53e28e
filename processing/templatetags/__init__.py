"""How templates of the admin show jobs and results."""
