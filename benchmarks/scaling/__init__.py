"""What one worker's work costs, and a fleet of workers simulated with it."""
