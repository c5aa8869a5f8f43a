"""The shipped experiment configurations (YAML), installed as ``nerf_talker.configs``."""
