"""Times and regions as people write them."""

import pytest

from fervid.cli import main
from fervid.config import ReadConfig


def parsed(*argv):
    got = []
    assert main(["a.mp4", *argv], lambda config, **_: got.append(config.read)) == 0
    return got[0]


@pytest.mark.parametrize(
    ("text", "time_s"),
    [("62.5", 62.5), ("1:02.5", 62.5), ("0:10:00", 600), ("01:00:00", 3600), (".5", 0.5)],
)
def test_times(text, time_s):
    assert parsed("--start", text).start == time_s
    assert parsed("--end", text).end == time_s


def test_a_region_is_one_word():
    read = parsed("--roi", "40,0,320,240", "--mirror")
    assert read == ReadConfig(roi=(40, 0, 320, 240), mirror=True)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--start", "soon"], "h:mm:ss"),
        (["--start", "1:2:3:4"], "h:mm:ss"),
        (["--start=-3"], "-3"),
        (["--start", "10", "--end", "5"], "--end"),
        (["--end", "1:00", "--start", "60"], "--end"),
        (["--every", "0"], "--every must be at least 1, not 0."),
        (["--fps", "0"], "--fps must be from 0.001 to 1000, not 0."),
        (["--roi", "1,2,3"], "x,y,w,h"),
        (["--roi", "1,2,3,x"], "x,y,w,h"),
        (["--roi", "0,0,0,20"], "--roi"),
        (["--roi=-5,0,20,20"], "--roi"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_2(capsys, argv, words):
    assert main(["a.mp4", *argv], lambda *_, **__: None) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1
