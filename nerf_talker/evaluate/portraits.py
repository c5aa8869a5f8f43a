"""What the renderer gives, checked and timed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter

import numpy as np

from nerf_talker.errors import AvatarError
from nerf_talker.types import PortraitFrame, SelfDrivenFrame


class TimedPortraits:
    """The renderer's frames, checked, while the time spent inside it is added up.

    The second torso of a :class:`SelfDrivenFrame` is left out: new speech needs none.
    """

    def __init__(self, rendered: Iterable[PortraitFrame], wanted: Sequence[int], size: int) -> None:
        """Nothing is rendered yet.

        Args:
            rendered: One portrait per wanted frame, in order.
            wanted: Frames of the clip.
            size: Width and height in pixels that they must have.
        """
        self._rendered, self._wanted, self._size = rendered, wanted, size
        self.seconds = 0.0
        self.count = 0

    @property
    def fps(self) -> float | None:
        """Frames per second inside the renderer, None when nothing was rendered."""
        return self.count / self.seconds if self.seconds > 0 and self.count else None

    def __iter__(self) -> Iterator[PortraitFrame]:
        """The frames.

        Raises:
            AvatarError: The renderer gives another size, too few frames or non-finite pixels.
        """
        stream = iter(self._rendered)
        for frame in self._wanted:
            start = perf_counter()
            portrait = next(stream, None)
            self.seconds += perf_counter() - start
            if isinstance(portrait, SelfDrivenFrame):
                self.seconds -= portrait.extra_seconds
            if portrait is None:
                raise AvatarError(
                    f"the renderer stopped before frame {frame}, wanted are frames "
                    f"{self._wanted[0]} to {self._wanted[-1]}; train the avatar again"
                )
            self._check(frame, portrait)
            self.count += 1
            yield portrait

    def _check(self, frame: int, portrait: PortraitFrame) -> None:
        size = self._size
        if portrait.rgb.shape != (size, size, 3):
            height, width = portrait.rgb.shape[:2]
            raise AvatarError(
                f"the avatar renders {width}x{height} pixels but the dataset holds {size}x{size}; "
                f"evaluate it on the dataset it was trained on"
            )
        if not all(np.isfinite(part).all() for part in vars(portrait).values()):
            raise AvatarError(
                f"the avatar renders non-finite pixels in frame {frame}; train it again"
            )
