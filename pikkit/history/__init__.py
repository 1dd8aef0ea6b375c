"""Past results per group, as a model set carries them."""
