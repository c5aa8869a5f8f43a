"""Preprocessing: a clip becomes a dataset through ordered, resumable stages.

Imported as ``nerf_talker.preprocess``; the folder sits at the top of the repository.
"""

if __name__ != "nerf_talker.preprocess":
    raise ImportError(
        "import nerf_talker.preprocess, not preprocess: the bare name is not the package's"
    )
