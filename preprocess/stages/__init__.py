"""The stages of preprocessing, one module each."""
