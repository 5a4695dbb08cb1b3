"""A recipe's values are checked when it is read, and the message names the key."""

import dataclasses

import pytest

from fervid.errors import ConfigError
from train.augment import AugmentConfig
from train.ranges import RANGES, Range
from train.recipe import Recipe, Stage, load_recipe

TEXT = """name = "x"
{recipe}
[augment]
{augment}
[[stage]]
{stage}
"""


def read(tmp_path, **lines):
    values = {"recipe": "", "augment": "", "stage": "passes = 1\npx = 16"} | lines
    path = tmp_path / "mine.toml"
    path.write_text(TEXT.format(**values))
    return load_recipe(str(path))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('stem = "large"', "must be torchvision or small, not 'large'"),
        ('optimizer = "adamW"', "must be sgd or adam or adamw"),
        ('schedule = "linear"', "must be cosine or constant"),
        ('precision = "float16"', "must be auto or float32 or bfloat16"),
        ("precision = [1]", "must be auto or float32 or bfloat16"),
        ("batch = 0", "must be at least 1"),
        ("batch = 6.5", "must be a whole number"),
        ("batch = true", "must be a whole number"),
        ("lr = 0", "must be above 0"),
        ("lr = -0.1", "must be above 0"),
        ("lr = nan", "must be above 0"),
        ("lr = inf", "must be above 0"),
        ('lr = "1e-3"', "must be a number"),
        ("pretrained = 1", "must be true or false"),
        ('pretrained = "no"', "must be true or false"),
        ("ema = 1.0", "must be at least 0 and below 1"),
        ("warmup = 2", "must be at least 0 and at most 1"),
        ("clip = -1", "must be at least 0"),
        ("seed = -1", "must be at least 0"),
        ("std = 0.0", "must be above 0"),
    ],
)
def test_a_wrong_value_of_a_recipe_is_named(tmp_path, line, said):
    key = line.split(" ")[0]
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, recipe=line)
    assert f"mine.toml: {key} {said}" in str(raised.value)
    assert raised.value.key == key


def test_an_empty_name_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = ""\n[[stage]]\npasses = 1\npx = 16\n')
    with pytest.raises(ConfigError, match="name must not be empty"):
        load_recipe(str(path))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("passes = 0\npx = 16", "passes must be above 0"),
        ("passes = 1\npx = 15", "px must be at least 16"),
        ("passes = 1\npx = 16.0", "px must be a whole number"),
        ("passes = 1\npx = 16\nblocks = [1, 2]", "blocks must be 4 whole numbers"),
        ("passes = 1\npx = 16\nblocks = 3", "blocks must be 4 whole numbers"),
        ("passes = 1\npx = 16\nblocks = [1, 0, 1, 1]", "blocks must be at least 1"),
        ("passes = 1\npx = 16\nlast_stride = 3", "last_stride must be at least 1 and at most 2"),
        ("passes = 1\npx = 16\nslim = 0", "slim must be true or false"),
        ("passes = 1\npx = 16\nlr = 0.0", "lr must be above 0"),
    ],
)
def test_a_wrong_value_of_a_stage_is_named(tmp_path, lines, said):
    with pytest.raises(ConfigError, match=said.replace("[", r"\[")):
        read(tmp_path, stage=lines)


@pytest.mark.parametrize("key", ["flip", "light", "noise", "faults", "native", "filtered", "erase"])
@pytest.mark.parametrize("value", ["-0.1", "1.1", "true", "nan"])
def test_probabilities_are_from_0_to_1(tmp_path, key, value):
    with pytest.raises(ConfigError, match=rf"{key} must be (at least 0 and at most 1|a number)"):
        read(tmp_path, augment=f"{key} = {value}")
    assert getattr(read(tmp_path, augment=f"{key} = 1").augment, key) == 1


def test_tables_that_are_none(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "x"\nstage = 3\n')
    with pytest.raises(ConfigError, match=r"has no \[\[stage\]\]"):
        load_recipe(str(path))
    path.write_text('name = "x"\naugment = 3\n[[stage]]\npasses = 1\npx = 16\n')
    with pytest.raises(ConfigError, match="augment must be a table"):
        load_recipe(str(path))


def test_every_number_has_its_range():
    """A new field without one would go unchecked."""
    for kind in (Stage, Recipe, AugmentConfig):
        numbers = {
            f.name
            for f in dataclasses.fields(kind)
            if f.type in (int, float) or str(f.type) in ("int", "float", "float | None")
        }
        assert numbers <= set(RANGES[kind.__name__])


def test_a_range_says_its_ends():
    assert str(Range(0, open_low=True)) == "above 0"
    assert str(Range(0, 1, open_high=True)) == "at least 0 and below 1"
