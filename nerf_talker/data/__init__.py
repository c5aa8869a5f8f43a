"""The dataset on disk, its reader, and the built-in sample clip."""
