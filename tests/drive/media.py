"""Reading back what was rendered."""

import numpy as np


def pictures(path, pixels="rgb24"):
    """(F, H, W, C) pictures of a video."""
    import av

    with av.open(str(path)) as video:
        return np.stack([frame.to_ndarray(format=pixels) for frame in video.decode(video=0)])


def times(path):
    """(F,) seconds at which pictures are shown."""
    import av

    with av.open(str(path)) as video:
        return np.array([float(frame.time) for frame in video.decode(video=0)])


def picture_bytes(path):
    import av

    with av.open(str(path)) as video:
        return sum(packet.size for packet in video.demux(video=0))


def sound_seconds(path):
    import av

    with av.open(str(path)) as video:
        return sum(frame.samples / frame.sample_rate for frame in video.decode(audio=0))


def transparent_pictures(path):
    """(F, H, W, 4) pictures of a VP9 video with its alpha plane, which takes libvpx to decode."""
    import av

    found = []
    with av.open(str(path)) as video:
        tags = {key.lower(): text for key, text in video.streams.video[0].metadata.items()}
        assert tags["alpha_mode"] == "1"
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        for packet in video.demux(video=0):
            found += [frame.to_ndarray(format="rgba") for frame in decoder.decode(packet)]
    return np.stack(found)
