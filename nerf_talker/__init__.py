"""nerf-talker: from a clip of one person to a portable avatar that speaks any new audio."""

__version__ = "0.1.0"
