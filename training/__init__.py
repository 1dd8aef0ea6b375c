"""Trains, validates and applies model sets: `python -m training`."""
