"""Panels at fixed sizes."""

@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 60), (120, 30), (40, 10), (20, 5)])
@pytest.mark.parametrize("n", [0, 2, 100])
def test_the_panel_fits_its_terminal(width, height, n, ascii_only):
    shown = snapshot(
        faces=tuple(face(i, ("confidence", "small", "blurred", "dark")) for i in range(n))
    )
    lines = drawn(shown, width, height, ascii_only).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) == min(max(width, 1), 140)
    if height >= 10:
        assert len(lines) <= height - 1
    if ascii_only:
        assert all(line.isascii() for line in lines)


def test_the_panel_shows_everything():
    text = drawn(snapshot())
    for words in (
        *("clip.mp4", "1,250/5,000", "25%", "at 0:41, 2:00 left", "29.8 fps", "dropped 0"),
        *("512 MB", "2,034 in 17 tracks", "gaussian sigma 0.120", "severity 0.118"),
        *("filter  gaussian", "decode       1.0   2.0", "#3   happy", " 70%", "#4   sad"),
        *("uncertain: small, dark", "then angry 5%"),
    ):
        assert words in text, words


def test_a_probability_bar_is_as_long_as_its_share():
    line = next(x for x in drawn(snapshot(faces=(face(1, share=0.75),))).splitlines() if "#1" in x)
    full, empty = line.count("█"), line.count("░")
    assert full + empty >= 20
    assert full / (full + empty) == pytest.approx(0.75, abs=0.5 / (full + empty))


def test_the_sparkline_keeps_peaks_and_its_scale():
    history = [0.0] * 239 + [0.3]
    line = next(
        x for x in drawn(snapshot(noise_history=tuple(history))).splitlines() if "noise " in x
    )
    assert line.count("█") == 1
    assert not set("▁▂▃▄▅▆▇") & set(line)
    assert "█" not in drawn(
        snapshot(noise_history=(0.1,) * 240, faces=(), n_frames=None, live=True)
    )


def test_too_many_faces_are_cut_with_their_number():
    text = drawn(snapshot(faces=tuple(face(i) for i in range(30))))
    shown = sum(f"#{i} " in text for i in range(30))
    assert 5 < shown < 30
    assert f"+{30 - shown} more" in text
    assert "more" not in drawn(snapshot(faces=tuple(face(i) for i in range(shown))))


def test_a_low_terminal_keeps_the_faces():
    text = drawn(snapshot(), 60, 12)
    assert "#3" in text
    assert "#4" in text
    assert "latency" not in text


def test_a_live_source_has_drops_and_no_time_left():
    text = drawn(snapshot(live=True, n_frames=None, duration_s=None, dropped=1234))
    assert "live 0:41" in text
    assert "dropped 1,234" in text
    assert "left" not in text


def test_progress_by_time_where_the_number_of_frames_is_unknown():
    assert "25%" in drawn(snapshot(n_frames=None))
    assert "at 0:41" in drawn(snapshot(n_frames=None, duration_s=None))
    assert "100%" in drawn(snapshot(frames=6000))


def test_a_hostile_source_name_is_only_shown():
    text = drawn(snapshot(source="[red]a\x1b[2J\n.mp4"))
    assert "[red]a?[2J?.mp4" in text
    assert "\x1b" not in plain_line(snapshot(source="a\x1b[2J"))


def test_no_face_and_a_face_not_followed():
    assert "no face" in drawn(snapshot(faces=()))
    assert "#?   happy" in drawn(snapshot(faces=(face(-1),)))


def test_plain_line():
    assert plain_line(snapshot()) == (
        "clip.mp4: frame 1,250/5,000 25%, 2:00 left; 29.8 fps, dropped 0; "
        "gaussian sigma 0.120, filter gaussian; faces 2 (#3 happy, #4 sad (uncertain)); 512 MB"
    )
    assert "+7 more" in plain_line(snapshot(faces=tuple(face(i) for i in range(10))))


SINCE = datetime(2026, 1, 31, 3, 12, 45, tzinfo=UTC)


@pytest.mark.parametrize(("seconds", "long"), [(62.0, "1:02"), (90_000.0, "25:00:00")])
def test_a_source_that_is_offline_says_since_when_and_why(seconds, long):
    lost = Outage(SINCE, "The stream x broke\x1b off (reset)", seconds, 7)
    shown = snapshot(live=True, n_frames=None, duration_s=None, offline=lost, missed=1234, faces=())
    local = SINCE.astimezone()
    day = f"{local:%Y-%m-%d} " if seconds > 86_400 else ""
    words = f"offline since {day}{local:%H:%M:%S} ({long}, attempts 7): The stream x broke? off"
    for text in (drawn(shown, 140), plain_line(shown)):
        assert words in text
        assert "dropped 0 late, 1,234 offline" in text
        assert "live" not in text
    assert "offline" not in drawn(snapshot())
