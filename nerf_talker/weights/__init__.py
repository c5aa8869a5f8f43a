"""Third-party model files: what they are, where they come from, and how they are found.

Nothing here is shipped with the package. :func:`resolve` gives a verified path or one sentence
that says what to do; :func:`locate` only looks and never downloads.
"""

from nerf_talker.weights.lookup import locate, resolve
from nerf_talker.weights.registry import REGISTRY, ModelFile

__all__ = ["REGISTRY", "ModelFile", "locate", "resolve"]
