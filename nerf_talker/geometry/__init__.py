"""Cameras, rotations, the 478-point mesh and rigid head tracking."""
