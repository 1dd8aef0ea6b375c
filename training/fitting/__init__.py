"""Settled bets -> a model set: split, choose, fit, calibrate, look for leaks, write."""
