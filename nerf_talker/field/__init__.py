"""The talker's fields: a conditioned radiance field for the head, a 2-D layer for the torso."""
