"""``nerf-talker preprocess CLIP -o DATASET``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class Arguments:
    """Turn a video of one person speaking into a dataset; the same command resumes.

    Attributes:
        clip: Video of one person facing the camera, with sound.
        out: Dataset folder to write.
        size: Width and height of the dataset's frames in pixels.
        fps: Frames per second of the dataset.
        audio: Sound file that replaces the clip's own sound.
        landmarks: NPZ with landmarks (F, 478, 2 or 3) in the clip's pixels at the dataset's fps.
        masks: NPZ of arrays (F, H, W) uint8 in the clip's pixels at the dataset's fps: labels with
            0 background, 1 torso, 2 hair, 3 face, 4 lips, 5 eyes, 6 neck, 7 accessories, and
            head_alpha, the soft head, from 0 to 255. Or a folder of such labels for single frames
            of the dataset, 000123.png, with 000123_alpha.png beside it where there is a soft head.
        parser: TorchScript face parser with the 19 classes of CelebAMask-HQ at 512x512, used in
            place of the hair and person models.
        audio_features: Speech features: hearing (our own encoder), articulation39 (the same in
            words of phonetics), logmel40, mfcc26, phones40 (English), a speech encoder in a local
            folder as hf:FOLDER[:LAYER], or your own, of the dataset's audio.wav, as
            npy:FILE@ROWS_PER_SECOND.
        face: Which person, where there are several: largest, left, right, or x,y, a point on the
            face in the clip's first frames in pixels.
        scene: Number, from 1, of the uncut part of the clip to use; by default the longest with a
            face, if that is at least half of the clip.
        av_offset: Milliseconds by which the clip's sound comes too late (0 leaves it alone); by
            default estimated, and corrected where that is sure.
        landmarker: What runs the face models; auto takes MediaPipe, else LiteRT.
        poses: How far head tracking goes; landmarks and pnp are there to compare with.
        background: The still picture behind the person, or plain: one colour, where it moves.
        models: Folder with model files, looked in first.
        quiet: No progress bars and no summary.
    """

    clip: tyro.conf.Positional[Path]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DATASET")]
    size: int = 512
    fps: int = 25
    audio: Path | None = None
    landmarks: Path | None = None
    masks: Path | None = None
    audio_features: str = "hearing"
    face: str = "largest"
    scene: int | None = None
    av_offset: float | None = None
    landmarker: Literal["auto", "mediapipe", "litert"] = "auto"
    parser: Path | None = None
    poses: Literal["refined", "landmarks", "pnp"] = "refined"
    background: Literal["plate", "plain"] = "plate"
    models: Path | None = None
    quiet: bool = False


def run(argv: list[str]) -> int:
    """Run the verb with the arguments after its name; returns the exit code."""
    given = tyro.cli(Arguments, args=argv, prog="nerf-talker preprocess")
    from nerf_talker.config import validate_options
    from nerf_talker.preprocess.options import PreprocessOptions
    from nerf_talker.preprocess.pipeline import preprocess

    choices = {
        "size": given.size,
        "fps": given.fps,
        "audio": given.audio,
        "landmarks": given.landmarks,
        "masks": given.masks,
        "audio_features": given.audio_features,
        "face": given.face,
        "scene": given.scene,
        "av_offset": given.av_offset,
        "landmarker": given.landmarker,
        "parser": given.parser,
        "poses": given.poses,
        "background": given.background,
        "models": given.models,
        "quiet": given.quiet,
    }
    options = validate_options(PreprocessOptions, choices)
    manifest = preprocess(given.clip, given.out, options)
    if given.quiet:
        return 0
    tracking = manifest.stages["tracking"].notes
    print(
        f"{given.out}: {manifest.frames} frames of {manifest.size}x{manifest.size} px "
        f"({manifest.frames / manifest.fps:.1f} s), prepared in "
        f"{manifest.preprocess_seconds:.0f} s; reprojection error "
        f"{tracking['reprojection_rms_px512']:.2f} px at 512"
    )
    for warning in manifest.warnings:
        print(f"warning: {warning}")
    print(f"look at {given.out / 'report.html'}, then: nerf-talker train {given.out} -o RUN")
    return 0
