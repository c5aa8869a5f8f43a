"""Driving a trained talker: with a clip's own frames, or with new speech into a video."""
