"""What is asked of a slot or of a live address before it is believed."""
