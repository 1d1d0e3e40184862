import pytest
import torch

from livegrad.lab.data import digits


def test_the_split_is_complete_stratified_and_scaled_by_its_training_part():
    split = digits()
    assert len(split.x_train) + len(split.x_test) == 1797
    assert split.x_train.shape == (1347, 64)
    assert split.x_train.dtype == torch.float32
    assert split.y_train.dtype == torch.long
    # Stratified: each class's share in the test part is its share in the whole, up to rounding to whole digits.
    whole = torch.cat([split.y_train, split.y_test]).bincount(minlength=10)
    assert (split.y_test.bincount(minlength=10) - whole * 450 / 1797).abs().max() <= 1
    torch.testing.assert_close(split.x_train.mean(), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(split.x_train.std(), torch.tensor(1.0))


def test_no_image_is_in_both_parts():
    split = digits(seed=3)
    train = {tuple(row) for row in split.x_train.tolist()}
    assert not train & {tuple(row) for row in split.x_test.tolist()}


def test_the_seed_decides_the_split_and_nothing_else_does():
    torch.manual_seed(1)
    first = digits(seed=1)
    torch.manual_seed(2)
    for one, other in zip(first, digits(seed=1), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(first.y_test, digits(seed=2).y_test)


def test_images_are_the_same_numbers_in_another_shape():
    assert digits(flat=False).x_test.shape == (450, 1, 8, 8)
    assert torch.equal(digits(flat=False).x_test.flatten(1), digits().x_test)


@pytest.mark.parametrize("share", [0, 1, -0.5, float("nan")])
def test_a_share_outside_zero_and_one_is_refused(share):
    with pytest.raises(ValueError, match=r"test_share must be in \(0, 1\), got"):
        digits(share)
