"""The models' masks of the drawn sample person against what was drawn."""

import cv2
import numpy as np
import pytest

from nerf_talker.data.labels import Label, is_head, is_torso
from nerf_talker.data.synthetic import render_sample
from nerf_talker.errors import WeightsError
from nerf_talker.preprocess.classes import classes_of, label_map
from nerf_talker.preprocess.headmask import fit_edge, head_matte
from nerf_talker.preprocess.models import HAIR_MODEL, PERSON_MODEL, HairModel, PersonModel
from nerf_talker.weights import resolve

SIZE = 512


@pytest.fixture(scope="module")
def seen():
    """Drawn and found labels of a few frames, found from true landmarks."""
    for name in (HAIR_MODEL, PERSON_MODEL):
        try:
            resolve(name, fetch=False)
        except WeightsError as error:
            pytest.skip(f"model file missing: {error}")
    drawn = render_sample(12.0, SIZE, frames=[10, 100, 220]).pictures
    found = []
    with HairModel() as hair_model, PersonModel() as person_model:
        for picture in drawn:
            hair, person = hair_model.read(picture.rgb), person_model.read(picture.rgb)
            classes = classes_of(picture.rgb, hair, person, picture.landmarks)
            matte = head_matte(hair, person, picture.landmarks)
            matte = fit_edge(matte, picture.rgb, classes.rest == Label.BACKGROUND)
            found.append(label_map(matte, classes))
    return np.stack([picture.labels for picture in drawn]), np.stack(found)


def overlap(first, second):
    return (first & second).sum() / (first | second).sum()


def test_layers_are_cut_where_they_were_drawn(seen):
    drawn, found = seen
    assert overlap(is_head(drawn), is_head(found)) >= 0.95
    assert overlap(is_torso(drawn), is_torso(found)) >= 0.95
    assert overlap(drawn == Label.BACKGROUND, found == Label.BACKGROUND) >= 0.95


@pytest.mark.parametrize("label", [Label.HAIR, Label.FACE, Label.NECK, Label.TORSO, Label.LIPS])
def test_classes_are_those_that_were_drawn(seen, label):
    drawn, found = seen
    assert overlap(drawn == label, found == label) >= 0.85


def test_the_heads_edge_is_true_to_a_pixel(seen):
    drawn, found = (is_head(labels) for labels in seen)
    rim = sum(
        cv2.arcLength(outline, True)
        for mask in drawn
        for outline in cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )[0]
    )
    assert abs(int(found.sum()) - int(drawn.sum())) / rim < 0.5
