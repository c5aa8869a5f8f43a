"""Sound files and the speech features computed from them."""
