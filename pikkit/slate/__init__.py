"""`python -m pikkit.slate`: every price of a slate against the other books' prices on the same line."""
