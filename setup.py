"""Build description: two top-level folders are installed under the ``nerf_talker`` name.

``preprocess`` and ``cuda_ext`` live at the top of the repository but import as
``nerf_talker.preprocess`` and ``nerf_talker.cuda_ext``: the bare names are too general to claim.
"""

from setuptools import find_packages, setup

PACKAGES = [
    *find_packages(include=["nerf_talker", "nerf_talker.*"]),
    "nerf_talker.preprocess",
    "nerf_talker.preprocess.stages",
    "nerf_talker.cuda_ext",
    "nerf_talker.configs",
]

setup(
    packages=PACKAGES,
    package_dir={
        "nerf_talker.preprocess": "preprocess",
        "nerf_talker.cuda_ext": "cuda_ext",
        "nerf_talker.configs": "configs",
    },
    package_data={
        "nerf_talker": ["**/*.html", "**/*.npz", "**/*.json"],
        "nerf_talker.preprocess": ["*.html"],
        "nerf_talker.configs": ["*.yaml"],
    },
)
