"""Rules of alerts, and the other options by which others are told: what is taken, what refused."""

import dataclasses

import pytest

from fervid.cli import main
from fervid.config import RunConfig, WatchConfig
from fervid.config.file import load_config
from fervid.config.rules import fitted, parse_rule
from fervid.config.watching import metrics_address
from fervid.config.writing import to_toml
from fervid.errors import ConfigError

CLASSES = ("angry", "fear", "happy", "no smile")
SECRETS = ("hunter2", "T0KEN", "me:")
URL = "https://me:hunter2@hooks.example:8443/services/T0KEN?x=T0KEN"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("fear > 0.7 for 2s", ("fear", ">", 0.7, 2.0)),
        ("  FEAR>.7   for 1.5 min ", ("fear", ">", 0.7, 90.0)),
        ("no smile <= 1e", None),
        ("no smile <= 0.25 for 500ms", ("no smile", "<=", 0.25, 0.5)),
        ("faces >= 3", ("faces", ">=", 3.0, 0.0)),
        ("faces < 1 for 10 m", ("faces", "<", 1.0, 600.0)),
        ("Noise > 0.1 for 1h", ("noise", ">", 0.1, 3600.0)),
        ("uncertain >= 1", ("uncertain", ">=", 1.0, 0.0)),
    ],
)
def test_a_rule_is_read(text, wanted):
    if wanted is None:
        with pytest.raises(ConfigError, match="needs a number"):
            parse_rule(text)
        return
    (rule,) = fitted([parse_rule(text)], CLASSES)
    assert (rule.what, rule.sign, rule.number, rule.for_s) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "--alert must be like 'fear > 0.7 for 2s'"),
        ("fear", "all in quotes; not 'fear'."),
        ("> 0.7", "must be like"),
        ("fear == 0.7", "must be like"),
        ("fear > 0.7 during 2s", "must be like"),
        ("fear > high", "needs a number, as 'fear > 0.7 for 2s' has it, not high."),
        ("fear > nan", "needs a number"),
        ("fear > -1", "needs a number"),
        ("fear > 0.7 for 2", "a time is a number with ms, s, m or h, like 2s, not '2'."),
        ("fear > 0.7 for ever", "not 'ever'."),
        ("fear > 70", "'fear > 70' holds never: fear is at least 0 and at most 1"),
        ("fear > 1", "holds never"),
        ("fear < 0", "holds never"),
        ("noise >= 0", "holds always"),
        ("uncertain <= 1", "holds always"),
        ("faces < 0", "'faces < 0' holds never: faces is at least 0; choose"),
        ("faces >= 0", "holds always"),
    ],
)
def test_what_is_no_rule_is_refused_when_the_options_are_read(capsys, text, words):
    assert main(["clip.mp4", "--alert", text], lambda *_, **__: None) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "way"),
    [
        ("faer", "did you mean fear?"),
        ("hapy", "did you mean happy?"),
        ("fases", "did you mean faces?"),
        ("bliss!", "known are angry, fear, happy, no smile, faces, noise, uncertain."),
    ],
)
def test_a_class_that_the_model_does_not_have_names_the_nearest(word, way):
    with pytest.raises(ConfigError) as caught:
        fitted([parse_rule(f"{word} > 0.5")], CLASSES)
    assert str(caught.value) == f"--alert '{word} > 0.5': the model has no class {word}; {way}"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("9100", ("127.0.0.1", 9100)),
        (9100, ("127.0.0.1", 9100)),
        ("0.0.0.0:9100", ("0.0.0.0", 9100)),
        ("[::1]:0", ("::1", 0)),
        ("cam-7.local:65535", ("cam-7.local", 65535)),
    ],
)
def test_where_metrics_are_served(value, wanted):
    assert metrics_address(value) == wanted
    kept = WatchConfig(metrics_port=value)
    assert metrics_address(kept.metrics_port) == wanted
    assert dataclasses.replace(kept) == kept


@pytest.mark.parametrize(
    "value", ["", "x", "65536", ":9100", "::1:9100", "-1", "a b:9", "9100/", True]
)
def test_what_is_no_port_is_refused(value):
    with pytest.raises(ConfigError, match="must be PORT or HOST:PORT") as caught:
        metrics_address(value)
    assert caught.value.key == "metrics_port"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"alert_url": "http://h/"}, "--alert-url needs a rule; add --alert 'fear > 0.7 for 2s'."),
        ({"alert_exec": "true"}, "--alert-exec needs a rule"),
        ({"alert": ("fear > .5", "fear  > .5")}, "'fear > .5' is given twice"),
        ({"alert": ("fear > .5",), "alert_exec": "say 'oh"}, "each quote closed"),
        ({"alert": ("fear > .5",), "alert_exec": "  "}, "must be a command"),
    ],
)
def test_options_that_do_not_go_together(more, words):
    with pytest.raises(ConfigError) as caught:
        WatchConfig(**more)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://me:hunter2@h/",
        "http:///T0KEN",
        "hunter2",
        "http://me:hunter2@h:99999/",
        "http://h/ hunter2",
        "http://[hunter2/",
        "",
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url):
    with pytest.raises(ConfigError) as caught:
        WatchConfig(alert=("fear > .5",), alert_url=url)
    assert str(caught.value).startswith("--alert-url must be an address like https://host/path")
    assert not any(secret in str(caught.value) for secret in SECRETS)


def test_no_header_and_no_printed_configuration_holds_what_may_be_secret(capsys):
    watch = WatchConfig(
        alert=("fear > .5",), alert_url=URL, alert_exec="curl -H 'Authorization: T0KEN' hunter2"
    )
    config = RunConfig(watch=watch)
    shown = config.as_dict()["watch"]
    assert (shown["alert_url"], shown["alert_exec"]) == ("https://hooks.example:8443", "curl")
    assert not any(secret in str(config.as_dict()) for secret in SECRETS)
    text = to_toml(RunConfig(watch=dataclasses.replace(watch, alert_exec=None)), lambda _: "")
    assert 'alert_url = "https://hooks.example:8443"' in text
    assert not any(secret in text for secret in SECRETS)


def test_a_configuration_file_may_hold_them_all(tmp_path):
    (tmp_path / "fervid.toml").write_text(
        'sources = ["a.mp4"]\n[watch]\nmetrics_port = 9100\nevents = "e.jsonl"\n'
        'alert = ["fear > 0.7 for 2s", "faces > 3"]\nalert_exec = "true"\n'
    )
    watch = load_config(tmp_path / "fervid.toml").watch
    assert watch.metrics_port == "127.0.0.1:9100"
    assert [rule.what for rule in watch.rules()] == ["fear", "faces"]
    assert watch.events.name == "e.jsonl"


def test_events_and_rows_do_not_share_standard_output(capsys):
    argv = ["clip.mp4", "--events", "-", "--jsonl", "-"]
    assert main(argv, lambda *_, **__: None) == 2
    assert "Only one output can go to standard output" in capsys.readouterr().err
    assert main(["clip.mp4", "--events", "-"], lambda *_, **__: None) == 0
