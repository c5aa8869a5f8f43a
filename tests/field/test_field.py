import numpy as np
import pytest
import torch

from nerf_talker.field.audio_encoder import WINDOW, AudioEncoder, AudioEncoderConfig
from nerf_talker.field.expression import ExpressionScale, upper_face
from nerf_talker.field.head import HeadCondition, HeadField, HeadFieldConfig, TriPlaneConfig
from nerf_talker.field.mouth import MOUTH_POINTS, MouthCode, MouthCodeConfig
from nerf_talker.field.torso import (
    IDENTITY_MOTION,
    TorsoField,
    TorsoFieldConfig,
    TorsoMotionFromPose,
    pose_vector,
)
from nerf_talker.geometry.mesh import LIPS
from nerf_talker.types import TORSO_GRID, TORSO_MODES, Driving

BOX = torch.tensor([[-0.1, -0.1, -0.1], [0.1, 0.1, 0.1]])
SMALL = HeadFieldConfig(
    grid=TriPlaneConfig(levels=3, finest=32, log2_entries=10), hidden=8, geometry=8, gate_hidden=8
)


@pytest.fixture
def field():
    torch.manual_seed(0)
    mouth = torch.tensor([[0.0, 0.04, -0.08], [0.05, 0.05, 0.05]])
    return HeadField(SMALL, codes=4, expressions=3, box=BOX, mouth=mouth)


def condition(rows=2, codes=4, expressions=3):
    generator = torch.Generator().manual_seed(1)
    return HeadCondition(
        torch.randn(rows, codes, generator=generator),
        torch.randn(rows, expressions, generator=generator),
        torch.zeros(rows, 4),
    )


def evaluate(field, points, driving, frame=0):
    count = len(points)
    direction = torch.tensor([[0.0, 0.0, 1.0]])
    ray = torch.zeros(count, dtype=torch.int64)
    return field(points, direction, driving, ray, torch.full((count,), frame))


def test_field_output_is_physical(field, generator):
    points = (torch.rand(50, 3, generator=generator) - 0.5) * 0.4
    out = evaluate(field, points, condition())
    assert bool((out.density > 0).all()) and bool(torch.isfinite(out.density).all())
    assert float(out.rgb.detach().min()) >= -0.001 and float(out.rgb.detach().max()) <= 1.001
    assert out.features.shape == (50, len(field.feature_names))


def test_motion_is_confined_to_the_mouth(field):
    with torch.no_grad():
        field.motion.net[-1].bias.fill_(1.0)
    points = torch.tensor([[0.0, 0.04, -0.08], [0.0, -0.05, -0.08], [0.09, 0.04, 0.05]])
    moved = field.motion(points, torch.zeros(3, 4))
    assert float(moved[0].detach().abs().max()) > 0.5 * SMALL.motion
    assert float(moved[1:].detach().abs().max()) == 0


def test_field_gradients_match_finite_differences(field, generator):
    field = field.double()
    points = ((torch.rand(6, 3, generator=generator) - 0.5) * 0.15).double()
    driving = condition()
    driving = HeadCondition(*(getattr(driving, n).double() for n in driving.__dataclass_fields__))
    direction = torch.tensor([[0.0, 0.0, 1.0]]).double()
    zero = torch.zeros(6, dtype=torch.int64)

    def sums():
        out = field(points, direction, driving, zero, zero)
        return (out.rgb.double().sum() + out.density.double().log().sum()).double()

    sums().backward()
    names = dict(field.named_parameters())
    for name in ("density_net.0.weight", "mouth_gate.2.bias", "motion.net.4.bias"):
        flat = names[name].detach().view(-1)
        before, step = float(flat[0]), 1e-3
        with torch.no_grad():
            flat[0] = before + step
            high = float(sums())
            flat[0] = before - step
            low = float(sums())
            flat[0] = before
        numeric = (high - low) / (2 * step)
        assert float(names[name].grad.view(-1)[0]) == pytest.approx(numeric, rel=0.02, abs=2e-3)


def lips(frames=40, seed=0):
    generator = np.random.default_rng(seed)
    rest = generator.normal(0, 0.02, (1, len(MOUTH_POINTS), 3))
    modes = generator.normal(0, 0.004, (3, len(MOUTH_POINTS), 3))
    amount = generator.normal(0, 1, (frames, 3))
    return (rest + np.einsum("fk,kpc->fpc", amount, modes)).astype(np.float32)


def test_mouth_code_is_standardised_and_inverts():
    code = MouthCode(MouthCodeConfig(components=6, limit=50.0))
    points = lips()
    code.fit(points, np.ones(len(points), bool))
    values = code(torch.from_numpy(points))
    assert float(values[:, :3].std(0, unbiased=False).sub(1).abs().max()) < 0.02
    assert float(values[:, 3:].abs().max()) < 0.1
    torch.testing.assert_close(code.landmarks(values), torch.from_numpy(points), atol=2e-5, rtol=0)


def test_mouth_code_is_held_to_the_trained_range():
    code = MouthCode(MouthCodeConfig(components=3, limit=3.5))
    points = lips()
    code.fit(points, np.ones(len(points), bool))
    wild = code(torch.from_numpy(points * 30))
    assert float(wild.abs().max()) <= 3.5


def test_mouth_points_are_unique_and_hold_all_lips():
    assert set(LIPS) < set(MOUTH_POINTS)
    assert len(set(MOUTH_POINTS)) == len(MOUTH_POINTS)


def test_expression_ignores_a_channel_that_never_moves():
    scores = np.random.default_rng(0).random((30, 52)).astype(np.float32)
    scores[:, 9] = 0.3
    scale = ExpressionScale()
    scale.fit(scores, np.ones(30, bool))
    values = scale(torch.from_numpy(upper_face(scores)))
    assert float(values[:, 5].abs().max()) < 1e-4
    assert float(values.abs().max()) <= 3


def test_audio_encoder_shape_and_normalisation():
    encoder = AudioEncoder(AudioEncoderConfig(memory=9), features=5, codes=4).eval()
    values = np.random.default_rng(0).normal(3, 2, (200, 5)).astype(np.float32)
    encoder.fit_normalisation(values)
    windows = torch.from_numpy(values[:WINDOW])[None].repeat(7, 1, 1)
    assert encoder(windows).shape == (7, 4)
    normal = encoder.normalise(torch.from_numpy(values)[None])
    assert float(normal.mean().abs()) < 0.05 and float(normal.abs().max()) <= 4


def test_pose_vector_is_the_small_angle_and_the_position():
    angle = 0.05
    pose = torch.eye(4).repeat(1, 1, 1)
    turn = torch.tensor(
        [
            [np.cos(angle), 0, np.sin(angle)],
            [0, 1, 0],
            [-np.sin(angle), 0, np.cos(angle)],
        ]
    ).float()
    pose[0, :3, :3] = turn.T  # camera to head; turn is head to camera, about y
    pose[0, :3, 3] = -turn.T @ torch.tensor([0.1, 0.2, 0.9])
    expected = torch.tensor([[0, np.sin(angle), 0, 0.1, 0.2, 0.9]]).float()
    torch.testing.assert_close(pose_vector(pose), expected)


def random_poses(count, seed=0):
    generator = np.random.default_rng(seed)
    poses = np.tile(np.eye(4, dtype=np.float32), (count, 1, 1))
    poses[:, :3, 3] = generator.normal(0, 0.02, (count, 3)) - [0, 0, 0.8]
    return poses


def test_torso_motion_is_recovered_from_the_pose():
    poses = random_poses(200)
    motion = np.tile(np.asarray([1, 0, 0, 0, 1, 0], np.float32), (200, 1))
    motion[:, 2] = poses[:, 0, 3] * 0.7
    model = TorsoMotionFromPose()
    model.fit(poses, motion, ridge=1e-4)
    predicted = model(torch.from_numpy(poses))
    assert float((predicted - torch.from_numpy(motion)).abs().mean()) < 1e-3
    assert model.error(poses, motion) < 3e-3
    model.fit(poses, motion, ridge=1e6)
    spread = np.abs(motion[:, 2] - motion[:, 2].mean()).mean()
    assert model.error(poses, motion) == pytest.approx(spread, rel=0.05)


def test_torso_layer_follows_its_motion():
    torso = TorsoField(TorsoFieldConfig(), 32)
    plate = np.zeros((32, 32, 4), np.uint8)
    plate[16:, :, 3], plate[16:, 20:, 0] = 255, 255
    torso.start_from(plate)
    pose = torch.from_numpy(random_poses(1))
    shifted = torch.tensor([[1, 0, 0.25, 0, 1, 0.0]])
    points = torch.tensor([[0.95, 0.8], [0.7, 0.8], [0.9, 0.2]])
    colour, alpha = torso(points, pose, shifted)
    assert colour.detach()[:, 0].tolist() == pytest.approx([1, 0, 0], abs=1e-3)
    assert alpha.detach().tolist() == pytest.approx([1, 1, 0], abs=1e-3)


def bending_torso():
    """A torso whose first mode moves all points by a tenth of the image to the right."""
    torso = TorsoField(TorsoFieldConfig(), 32)
    modes = np.zeros((TORSO_MODES, TORSO_GRID, TORSO_GRID, 2), np.float32)
    modes[0, ..., 0] = 0.1
    modes[1, : TORSO_GRID // 2, :, 1] = 0.3
    plate = np.random.default_rng(0).integers(0, 255, (32, 32, 4), np.uint8)
    torso.start_from(plate, modes)
    return torso


@torch.no_grad()
def test_a_mode_of_the_bend_moves_where_the_plate_is_read(generator):
    torso, still = bending_torso(), torch.tensor([IDENTITY_MOTION])
    points = torch.rand(50, 2, generator=generator) * 0.6 + 0.1
    pose = torch.from_numpy(random_poses(1))
    bend = torch.zeros(1, TORSO_MODES)
    plain = torso(points, pose, still)
    for got, wanted in zip(torso(points, pose, still, bend), plain, strict=True):
        assert torch.equal(got, wanted)
    bend[0, 0] = 2
    moved = torso(points, pose, still, bend)
    wanted = torso(points + torch.tensor([0.2, 0]), pose, still)
    assert float((moved[0] - wanted[0]).abs().max()) < 1e-4
    each = torso(points, pose, still, bend.expand(50, -1))
    assert float((moved[0] - each[0]).abs().max()) < 1e-5
    bend[0, 1] = 1
    below = points[:, 1] > 0.55
    shown = torso(points, pose, still, bend)[1]
    assert float((shown - moved[1])[below].abs().max()) < 1e-4
    assert float((shown - moved[1])[~below].abs().mean()) > 0.02


def test_the_bend_is_predicted_from_the_pose():
    poses = random_poses(200)
    bend = np.zeros((200, TORSO_MODES), np.float32)
    bend[:, 2] = 3 + poses[:, 1, 3] * 20
    torso = bending_torso()
    torso.motion.fit(poses, np.tile(np.float32(IDENTITY_MOTION), (200, 1)), 1e-4)
    torso.motion.fit_bend(poses, bend, 1e-4)
    assert torso.motion.bend_error(poses, bend) < 0.03
    driving = Driving(
        None, None, torch.zeros(200, 9), torch.from_numpy(poses), torch.full((200, 6), 9.0),
        torch.zeros(200, dtype=torch.int64), 25.0,
    )  # fmt: skip
    moved = torso.moved_by_pose(driving)
    assert float((moved.torso_motion - torch.tensor(IDENTITY_MOTION)).abs().max()) < 1e-5
    assert float((moved.torso_bend - torch.from_numpy(bend)).abs().mean()) < 0.01
    torso.motion.fit_bend(poses, bend, 1e6)
    spread = np.abs(bend[:, 2] - bend[:, 2].mean()).mean()
    assert torso.motion.bend_error(poses, bend) == pytest.approx(spread, rel=0.05)
