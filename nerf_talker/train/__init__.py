"""How a talker learns from a dataset: sampling, phases, the trainer, checkpoints, the avatar."""
