"""Probabilities of 39 English phones and silence, the extractor ``phones40`` (extra ``asr``).

Pocketsphinx (Huggins-Daines et al. 2006) decodes phones with its own acoustic model and phone
language model. A decoder gives one best path, not probabilities, and a path through the whole sound
would depend on all of it. So every video frame has its own decoding of the 0.8 s around it, and
each instant is the vote of the ten decodings whose middle half holds it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nerf_talker.audio.extractor import Extractor, Follow, frame_windows
from nerf_talker.audio.sound import RATE
from nerf_talker.errors import InputError
from nerf_talker.types import FloatArray

# ARPAbet as in the CMU pronouncing dictionary; breath and noise count as silence.
PHONES = (
    "SIL", "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G",
    "HH", "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH",
    "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
CELL = 160  # samples: 10 ms, the decoder's frame
CELLS = 80  # of one window
VOTING = range(20, 60)  # cells of a window whose phone counts: both ends lack context
CELLS_PER_FRAME = 4
CELLS_PER_ROW = 2
# The decoder's window of 25.6 ms starts with its frame, so its middle lies in the next cell.
LATE = 1
# Cepstral mean of the decoder's own training speech; it is set anew for every window, since a
# running mean would remember the windows before.
CEPSTRAL_MEAN = "41.00,-5.29,-0.12,5.09,2.48,-4.07,-1.37,-1.78,-5.08,-2.05,-6.45,-1.42,1.17"


class Phones(Extractor):
    """Phone probabilities by pocketsphinx.

    Raises:
        InputError: The library is not installed.
    """

    name = "phones40"
    dims = len(PHONES)
    look_ahead = (VOTING.stop - CELLS // 2) * CELL / RATE + CELLS // 2 * CELL / RATE

    def __init__(self) -> None:
        """Find the library; its model is loaded on use."""
        try:
            import pocketsphinx  # noqa: F401
        except ImportError:
            raise InputError(
                "the speech features 'phones40' need pocketsphinx, which is not installed; "
                "pip install 'nerf-talker[asr]'"
            ) from None

    def _rows(self, samples: FloatArray, rows: int, follow: Follow) -> FloatArray:
        decoder = _decoder()
        # Cell c of the clip is cells[c + 1]: row 0 begins half a row before the sound.
        votes = np.zeros((CELLS_PER_ROW * rows, self.dims), np.float32)
        first = -((VOTING.stop - CELLS // 2) // CELLS_PER_FRAME)
        last = (CELLS_PER_ROW * rows + CELLS // 2 - VOTING.start) // CELLS_PER_FRAME
        silent = _decode(decoder, np.zeros(CELLS * CELL, np.float32))
        for frame in follow(range(first, last + 1)):
            window = frame_windows(
                samples, CELLS // 2 * CELL, CELLS * CELL, range(frame, frame + 1)
            )[0]
            heard = _decode(decoder, window) if window.any() else silent
            for cell in VOTING:
                place = frame * CELLS_PER_FRAME - CELLS // 2 + cell + 1
                if 0 <= place < len(votes):
                    votes[place, heard[cell]] += 1
        counted = votes.reshape(rows, CELLS_PER_ROW, -1).sum(1)
        return np.asarray(counted / counted.sum(1, keepdims=True))


def _decoder() -> Any:
    import pocketsphinx

    model = Path(pocketsphinx.get_model_path()) / "en-us"
    return pocketsphinx.Decoder(
        hmm=str(model / "en-us"),
        allphone=str(model / "en-us-phone.lm.bin"),
        lw=2.0,
        # Narrow beams: on 0.8 s the same path in half the time.
        beam=1e-10,
        pbeam=1e-10,
        cmn="live",
        loglevel="FATAL",
    )


def _decode(decoder: Any, window: FloatArray) -> list[int]:
    """The phone of each cell of a window, as an index into :data:`PHONES`."""
    decoder.reinit_feat()
    decoder.set_cmn(CEPSTRAL_MEAN)
    decoder.start_utt()
    decoder.process_raw(np.round(window * 32767).astype("<i2").tobytes())
    decoder.end_utt()
    phones = [0] * CELLS
    for part in decoder.seg() or ():
        index = PHONES.index(part.word) if part.word in PHONES else 0
        for frame in range(part.start_frame, part.end_frame + 1):
            if frame + LATE < CELLS:
                phones[frame + LATE] = index
    return phones
