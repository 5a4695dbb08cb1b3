"""The clean picture as teacher: what its terms are, and that a step uses them."""

import dataclasses

import numpy as np
import pytest
import torch

from train.augment import AugmentConfig, augment
from train.distil import agreement, distilled, map_drift, ramp, taught
from train.loader import Batch, as_input
from train.mixing import mixed, mixed_losses, share
from train.recipe import Recipe, Stage
from train.schedule import jitter
from train.slim import SlimNet


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_weight_rises_once():
    weights = [ramp(place, 100) for place in (0, 10, 20, 30, 99)]
    assert weights == pytest.approx([0, 0, 0.5, 1, 1])


def test_answers_that_agree_cost_nothing():
    logits = draw(5, 7)
    torch.testing.assert_close(agreement(logits, logits + 3), torch.zeros(5), atol=1e-6, rtol=0)
    assert (agreement(logits, draw(5, 7, seed=1)) > 0).all()


def test_maps_are_compared_by_shape_alone():
    maps, logits = draw(4, 7, 6, 6), draw(4, 7)
    same = map_drift(maps, 5 * maps + 2, logits)
    torch.testing.assert_close(same, torch.zeros(4), atol=1e-3, rtol=0)
    unrelated = map_drift(maps, draw(4, 7, 6, 6, seed=1), logits)
    torch.testing.assert_close(unrelated.mean(), torch.tensor(2.0), atol=0.2, rtol=0)
    opposite = map_drift(maps, -maps, logits)
    torch.testing.assert_close(opposite, torch.full((4,), 4.0), atol=0.02, rtol=0)


def test_classes_count_by_the_teachers_probability():
    maps, other = draw(1, 2, 3, 3), draw(1, 2, 3, 3, seed=1)
    other[:, 0] = maps[:, 0]
    sure_of_first = torch.tensor([[20.0, -20.0]])
    assert map_drift(maps, other, sure_of_first).item() < 1e-4
    assert map_drift(maps, other, -sure_of_first).item() > 1


def test_the_teacher_takes_the_labels_place():
    said = draw(3, 7), draw(3, 7, 2, 2)
    losses = torch.tensor([1.0, 2.0, 3.0])
    nothing = distilled(said, said, losses, (0.0, 0.0))
    assert nothing.abs().sum() == 0
    own = distilled(said, said, losses, (0.6, 0.0))  # it agrees with itself
    torch.testing.assert_close(own, -0.6 * losses)


def test_pictures_without_noise_are_taught_by_their_own_weight():
    teacher = SlimNet(7, blocks=(1, 1, 1, 1), last_stride=2, mean=0.5, std=0.25).eval()
    pictures = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 16, 16)))
    clean = pictures.clone()
    clean[0] += 1  # the first alone has noise
    batch = Batch(pictures.byte(), clean.byte(), torch.zeros(3, 7), torch.zeros(3).long())
    said, losses = (draw(3, 7), draw(3, 7, 1, 1)), torch.tensor([1.0, 2.0, 3.0])
    plan = Recipe("tiny", (Stage(passes=1, px=16),), distil=0.5)
    wanted = teacher(
        (batch.clean.float()[:, None].expand(-1, 3, -1, -1) / 255 - plan.mean) / plan.std
    )
    own = agreement(said[0], wanted[0].detach()) - losses
    none = taught((teacher, teacher), batch, said, losses, plan, 0.0)
    assert none == 2
    noisy = taught((teacher, teacher), batch, said, losses, plan, 1.0)
    torch.testing.assert_close(noisy, 2 + 0.5 * own[0] / 3)
    plan = dataclasses.replace(plan, distil_clean=0.2)
    both = taught((teacher, teacher), batch, said, losses, plan, 0.5)
    torch.testing.assert_close(both, 2 + 0.5 * (0.5 * own[0] + 0.2 * own[1:].sum()) / 3)


def test_answers_and_maps_may_have_teachers_of_their_own():
    torch.manual_seed(0)
    one, other = (
        SlimNet(7, blocks=(1, 1, 1, 1), last_stride=1, mean=0.5, std=0.25).eval() for _ in range(2)
    )
    seen = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (4, 32, 32)))
    pictures, clean = seen.byte(), seen.byte()
    clean[1:3] += 1
    batch = Batch(pictures, clean, torch.zeros(4, 7), torch.zeros(4).long())
    said, losses = (draw(4, 7), draw(4, 7, 4, 4)), torch.zeros(4)
    plan = Recipe("tiny", (Stage(passes=1, px=32),), distil=0.5, distil_clean=0.5, distil_maps=2.0)
    views = as_input(clean, plan)
    (answers, _), (_, places) = one(views), other(views)
    wanted = 0.5 * agreement(said[0], answers)
    wanted[1:3] += 2.0 * map_drift(said[1][1:3], places[1:3], answers[1:3])
    found = taught((one, other), batch, said, losses, plan, 1.0)
    torch.testing.assert_close(found, wanted.mean().detach())


def test_gradients_reach_the_student_alone():
    student = [draw(2, 7).requires_grad_(), draw(2, 7, 3, 3).requires_grad_()]
    wanted = draw(2, 7, seed=1), draw(2, 7, 3, 3, seed=1)
    distilled(tuple(student), wanted, torch.zeros(2), (0.5, 0.5)).sum().backward()
    assert all(part.grad.abs().sum() > 0 for part in student)


@pytest.mark.parametrize("estimated", [False, True])
def test_a_noisy_view_has_its_clean_one(estimated):
    """Same face, same place: without light and geometry the clean view is the picture itself."""
    face = np.random.default_rng(0).integers(60, 200, (48, 48)).astype(np.uint8)
    config = AugmentConfig(
        flip=0, rotation=0, shift=0, scale=0, light=0, noise=1, native=0, estimated=estimated
    )
    for seed in range(8):
        view = augment(face, 48, config, np.random.default_rng(seed))
        np.testing.assert_array_equal(view.clean, face)
        assert (view.seen != face).any()
        assert len(view.about) == 6
    assert any(view.about) == estimated


def test_jitter_moves_all_conditions_of_a_picture_together():
    recipe = Recipe("t", (Stage(1, 48),), eta_jitter=0.2)
    conditions = torch.arange(1, 22, dtype=torch.float32).reshape(3, 7)
    heard = jitter(conditions, recipe, 5)
    ratios = heard / conditions
    torch.testing.assert_close(ratios, ratios[:, :1].expand(-1, 7))
    assert torch.equal(heard, jitter(conditions, recipe, 5))
    assert not torch.equal(heard, jitter(conditions, dataclasses.replace(recipe, seed=1), 5))


def batch_of(n):
    rng = np.random.default_rng(1)
    seen = torch.from_numpy(rng.integers(0, 256, (n, 8, 8)).astype(np.uint8))
    return Batch(seen, seen, torch.zeros(n, 7), torch.arange(n))


def test_mixtures_are_of_two_faces_and_their_labels():
    batch = batch_of(6)
    found, others = mixed(batch, 0.7, seed=3, step=11)
    assert sorted(others.tolist()) == list(range(6))
    expected = 0.7 * batch.pictures.float() + 0.3 * batch.pictures.float()[others]
    torch.testing.assert_close(found.pictures, expected)
    assert torch.equal(found.labels, batch.labels)
    again, same = mixed(batch, 0.7, seed=3, step=11)
    assert torch.equal(same, others)
    assert torch.equal(again.pictures, found.pictures)
    assert not torch.equal(mixed(batch, 0.7, seed=3, step=12)[1], others)


def test_shares_are_drawn_between_a_half_and_one():
    drawn = [share(0.3, 1, step) for step in range(300)]
    assert 0.5 <= min(drawn) < 0.6
    assert 0.99 < max(drawn) <= 1
    assert drawn[5] == share(0.3, 1, 5)


def test_a_mixture_is_judged_by_both_labels():
    logits, labels, others = draw(4, 7), torch.tensor([0, 1, 2, 3]), torch.tensor([3, 2, 1, 0])
    alone, other = (mixed_losses(logits, of, labels, 1.0, 0.1) for of in (labels, others))
    both = mixed_losses(logits, labels, others, 0.6, 0.1)
    torch.testing.assert_close(both, 0.6 * alone + 0.4 * other)
