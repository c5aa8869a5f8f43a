"""The one bar over all stages: it never goes back, ends full, and knows the frame."""

import re

import pytest

from nerf_talker.preprocess.progress import REPORT, Journey


def travel(journey, stages, passes=1):
    for stage in stages:
        journey.enter(stage)
        for _ in range(passes):
            for index in journey.follow(range(10), "frames", 10):
                assert journey.frame == index
            assert journey.frame is None
        journey.leave()
    journey.close()


@pytest.mark.parametrize("passes", [1, 3])
def test_the_bar_grows_to_the_end_whatever_the_stages_do(capsys, passes):
    stages = ["ingest", "audio", "tracking", "a stage of tomorrow", REPORT]
    journey = Journey(stages, True)
    travel(journey, stages, passes)
    shown = capsys.readouterr().err
    shares = [int(share) for share in re.findall(r"(\d+)%", shown)]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 100
    assert "1/5 ingest: frames" in shown and "left" in shown


def test_quiet_is_silent_but_still_knows_the_frame(capsys):
    travel(Journey(["audio"]), ["audio"])
    assert capsys.readouterr().err == ""


def test_a_failure_leaves_the_frame_to_be_named():
    journey = Journey(["audio"])
    journey.enter("audio")
    with pytest.raises(ValueError, match="torn"):
        for index in journey.follow(range(9), "frames", None):
            if index == 4:
                raise ValueError("torn")
    assert journey.frame == 4
    journey.enter("audio")
    assert journey.frame is None
