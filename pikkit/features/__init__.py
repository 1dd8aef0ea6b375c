"""What the models are asked about a bet."""
