"""How the speech encoder was trained: speech with known phonemes, targets, network, recipe.

Nothing here is needed to use the encoder. ``python -m nerf_talker.audio.pretrain`` runs the whole
recipe on a Debian machine with the packages that :mod:`nerf_talker.audio.pretrain.sources` lists.
"""
