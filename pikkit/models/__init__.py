"""From pickles to the model set that a worker serves."""
