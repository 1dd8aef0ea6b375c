"""What was done, what is under way, and who is at work."""
