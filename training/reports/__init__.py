"""What was judged, told to people (a page, Markdown) and to programs (JSON)."""
