"""Head pose, eyes and amplitude of a video: sources that put channels in place of another's."""
