"""A bet, its price, its names: pure."""
