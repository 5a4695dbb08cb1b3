"""Mistakes in the words of a command line: commands, options, values, pairs that cannot be."""

from tests.mistakes.record import Mistake

CLIP = ("clip.mp4",)


def option(name: str, what: str, more: str, says: str, **other) -> Mistake:
    """A wrong option of a run over a clip: refused before anything is opened."""
    return Mistake(name, what, f"fervid clip.mp4 {more}", 2, says, CLIP, **other)


COMMANDS = (
    Mistake(
        "train",
        "training, which is not in the installed program",
        "fervid train fit cpu",
        2,
        r"^train is not part of the installed program; .*`python -m train`",
    ),
    Mistake(
        "export",
        "exporting, which is not either",
        "fervid export --help",
        2,
        r"^export is not part of .*`python -m export`",
    ),
    Mistake("trian", "that, misspelt", "fervid trian", 2, r"did you mean `python -m train`"),
    Mistake(
        "command-misspelt",
        "a misspelt command",
        "fervid docter",
        2,
        r"^There is no file docter; did you mean `fervid doctor`\?$",
    ),
    Mistake(
        "subcommand-misspelt",
        "the second word of one",
        "fervid config shw",
        2,
        r"did you mean fervid config show\?$",
    ),
    Mistake(
        "command-option",
        "an option of a command, misspelt",
        "fervid doctor --modle x.onnx",
        2,
        r"^There is no option --modle; did you mean --model\?$",
    ),
    Mistake(
        "command-word-too-many",
        "a word too many",
        "fervid recover results more",
        2,
        r"^`fervid recover` cannot use more; leave it out\.$",
        ("results/",),
    ),
    Mistake(
        "recover-nothing", "recovering, without saying what", "fervid recover", 2, r"needs a FOLDER"
    ),
    Mistake(
        "recover-nowhere",
        "recovering a folder that is not there",
        "fervid recover reslts",
        2,
        r"^There is no folder reslts; did you mean results\?$",
        ("results/",),
    ),
    Mistake(
        "report-nothing", "a report, without saying of what", "fervid report", 2, r"needs a FOLDER"
    ),
    Mistake(
        "report-nowhere",
        "a report of a folder that is not there",
        "fervid report reslts",
        2,
        r"^There is no folder reslts; did you mean results\?$",
        ("results/",),
    ),
    Mistake(
        "report-clip",
        "a report of a clip instead of its results",
        "fervid report clip.mp4",
        2,
        r"^clip\.mp4 is a file; give the folder",
        CLIP,
    ),
    Mistake(
        "report-empty",
        "a report of a folder without journals",
        "fervid report results",
        2,
        r"^There is no journal \(faces\.jsonl\) below results; give the folder",
        ("results/",),
    ),
    Mistake(
        "elan-nowhere",
        "annotations for a folder that is not there",
        "fervid elan reslts",
        2,
        r"^There is no folder reslts; did you mean results\?$",
        ("results/",),
    ),
    Mistake(
        "elan-empty",
        "annotations for a folder without journals",
        "fervid elan results",
        2,
        r"^There is no journal \(faces\.jsonl\) below results; give the folder",
        ("results/",),
    ),
    Mistake(
        "elan-least",
        "annotations of a least duration below 0",
        "fervid elan results --least-s -1",
        2,
        r"^--least-s must be 0 or more seconds, not -1",
        ("results/",),
    ),
    Mistake(
        "recover-file",
        "recovering a file",
        "fervid recover clip.mp4",
        2,
        r"^clip\.mp4 is a file; give the folder",
        CLIP,
    ),
    Mistake(
        "recover-empty",
        "recovering a folder without journals",
        "fervid recover results",
        2,
        r"^There is no journal \(faces\.jsonl\) below results",
        ("results/",),
    ),
    Mistake(
        "shell-unknown",
        "completion for an unknown shell",
        "fervid completion bsh",
        2,
        r"^SHELL must be one of bash, zsh, fish, not bsh; did you mean bash\?$",
    ),
    Mistake(
        "shell-missing",
        "completion for no shell",
        "fervid completion",
        2,
        r"needs a SHELL, one of bash, zsh, fish",
    ),
    Mistake("no-source", "no source", "fervid -o results", 2, r"^No source given; name a video"),
    Mistake("nothing", "nothing at all: five lines say what to do next", "fervid", 2, ""),
)

OPTIONS = (
    option(
        "option-misspelt",
        "a misspelt option",
        "--fliter none",
        r"^There is no option --fliter; did you mean --filter\?$",
    ),
    option(
        "option-unknown", "an unknown option", "-x", r"^There is no option -x; see fervid --help"
    ),
    option(
        "file-like-an-option",
        "a file whose name looks like an option",
        "-two.mp4",
        r"if the file of that name is meant, write \./-two\.mp4",
        setup=lambda folder: (folder / "-two.mp4").touch(),
    ),
    option(
        "value-misspelt",
        "a misspelt value",
        "--filter medain",
        r"^--filter must be one of auto, .*, not medain; did you mean median\?$",
    ),
    option(
        "value-unknown",
        "a value like none that is known",
        "--device gpu",
        r"^--device must be one of auto, cpu, cuda, tensorrt, not gpu\.$",
    ),
    option(
        "value-of-words-or-numbers",
        "neither a word nor a number where both are known",
        "--reconnect often",
        r"^--reconnect must be forever, none or a number of attempts, not 'often'\.$",
    ),
    option("value-missing", "an option without its value", "--csv", r"^--csv needs a value"),
    option(
        "choice-missing",
        "an option without its choice",
        "--anonymize",
        r"^--anonymize needs one of none, blur, pixelate, box",
    ),
    option(
        "value-empty",
        "an empty folder name, as an unset variable makes it",
        '-o ""',
        r"^-o is empty; give it a name",
    ),
    option(
        "number-word",
        "a word for a number",
        "--threads two",
        r"^--threads must be a whole number, not two",
    ),
    option(
        "number-limit",
        "a number beyond its limits",
        "--min-score 2",
        r"^--min-score must be from 0 to 1, not 2",
    ),
    option(
        "number-nan",
        "a number that is none",
        "--smooth-s nan",
        r"^--smooth-s must be at least 0, not nan",
    ),
    option(
        "switch-value",
        "a value for a switch",
        "--overwrite=5",
        r"^--overwrite is a switch and takes no value",
    ),
    option("option-twice", "an option twice", "--out a --out b", r"^--out is given twice"),
    option(
        "start-word",
        "a time that is none",
        "--start yesterday",
        r"^--start must be a time in seconds or h:mm:ss, like",
    ),
    option("start-negative", "a time before the start", "--start -1", r"^--start must be a time"),
    option(
        "end-before-start",
        "an end before the start",
        "--start 5 --end 3",
        r"^--end must be later than --start: 3 s is not after 5 s",
    ),
    option(
        "roi-three",
        "a region of three numbers",
        "--roi 1,2,3",
        r"^--roi must be four whole numbers x,y,w,h",
    ),
    option(
        "roi-negative",
        "a region left of the picture",
        "--roi -1,0,64,64",
        r"^--roi must start at 0,0 or later",
    ),
    option("every-0", "no frame out of none", "--every 0", r"^--every must be at least 1, not 0"),
    option(
        "camera-word",
        "a name for a camera's number",
        "--camera front",
        r"^--camera must be a whole number, not front",
    ),
    option(
        "camera-negative",
        "a camera's number below 0",
        "--camera -1",
        r"^--camera must be at least 0",
    ),
    option(
        "secret-in-a-number",
        "an address with a password where a number belongs",
        "--camera rtsp://me:s3cret@10.0.0.7/x",
        r"not rtsp://10\.0\.0\.7/x\.$",
    ),
    Mistake(
        "config-empty",
        "an empty name of a configuration",
        'fervid clip.mp4 --config ""',
        2,
        r"^--config is empty",
        CLIP,
    ),
)

PAIRS = (
    option(
        "stdout-twice",
        "two outputs on standard output",
        "--jsonl - --csv -",
        r"^Only one output can go to standard output",
    ),
    option(
        "video-stdout",
        "a video on standard output",
        "--video -",
        r"^--video cannot be written to standard output; --jsonl and --csv can",
    ),
    option(
        "out-stdout",
        "a folder on standard output",
        "-o -",
        r"^--out cannot be written to standard output",
    ),
    option(
        "one-file-twice",
        "two outputs in one file",
        "--csv rows --jsonl ./rows",
        r"^--jsonl and --csv both name rows; give each its own file",
    ),
    option(
        "video-suffix",
        "a video with another format's name",
        "--video v.avi",
        r"^--video writes a \.mp4 file, and v\.avi promises another kind; name it v\.mp4",
    ),
    option(
        "table-suffix",
        "a table with another table's name",
        "--parquet rows.csv",
        r"name it rows\.parquet",
    ),
    option(
        "subtitles-nowhere",
        "subtitles without a folder",
        "--subtitles",
        r"^--subtitles needs a folder; add --out DIR",
    ),
    option(
        "crops-nowhere", "crops without a folder", "--save-crops", r"^--save-crops needs a folder"
    ),
    option(
        "video-no-images",
        "a video and no pictures",
        "--video v.mp4 --no-images",
        r"^--video shows faces and --no-images forbids that; drop one",
    ),
    option(
        "crops-no-images",
        "crops and no pictures",
        "-o r --save-crops --no-images",
        r"^--save-crops shows faces",
    ),
    option("stills-nowhere", "stills without a folder", "--stills", r"^--stills needs a folder"),
    option(
        "stills-no-images",
        "stills and no pictures",
        "-o r --stills --no-images",
        r"^--stills shows",
    ),
    option(
        "stills-anonymous",
        "stills and no faces",
        "-o r --stills --anonymize box",
        r"^--stills writes faces and --anonymize hides them",
    ),
    option(
        "crops-anonymous",
        "crops and no faces",
        "-o r --save-crops --anonymize blur",
        r"^--save-crops writes faces and --anonymize hides them",
    ),
)

WATCHING = (
    option(
        "alert-no-rule", "a rule without a number", "--alert fear", r"^--alert must be like 'fear"
    ),
    option(
        "alert-no-unit",
        "a time without a unit",
        "--alert 'fear > 0.7 for 2'",
        r"a time is a number with ms, s, m or h, like 2s, not '2'\.$",
    ),
    option(
        "alert-never",
        "per cent where 0-1 is meant",
        "--alert 'fear > 70'",
        r"'fear > 70' holds never: fear is at least 0 and at most 1; choose another number\.$",
    ),
    Mistake(
        "alert-class",
        "a class that the model does not have",
        "fervid clip.mp4 --model tiny.onnx --alert 'tenze > 0.5'",
        2,
        r"^--alert 'tenze > 0\.5': the model has no class tenze; did you mean tense\?$",
        ("clip.mp4", "tiny.onnx"),
    ),
    option(
        "alert-url-alone",
        "an address for alerts, and no rule",
        "--alert-url http://127.0.0.1/",
        r"^--alert-url needs a rule; add --alert 'fear > 0\.7 for 2s'\.$",
    ),
    option(
        "alert-url",
        "an address that is none",
        "--alert 'fear > 0.7' --alert-url me:secret@hooks",
        r"^--alert-url must be an address like https://host/path",
    ),
    Mistake(
        "alert-exec",
        "a command that is not there",
        "fervid clip.mp4 --model tiny.onnx --alert 'tense > 0.7' --alert-exec notfy-send",
        2,
        r"^--alert-exec: there is no program notfy-send; check its name, or give its path\.$",
        ("clip.mp4", "tiny.onnx"),
    ),
    option(
        "metrics-port",
        "a port that is none",
        "--metrics-port 91000",
        r"^--metrics-port must be PORT or HOST:PORT with a port up to 65535, like 9100",
    ),
    Mistake(
        "events-exist",
        "a file of events that exists",
        "fervid clip.mp4 --events rows.csv",
        2,
        r"^The output rows\.csv exists; add --overwrite or choose another name\.$",
        ("clip.mp4", "rows.csv"),
    ),
    Mistake(
        "events-jobs",
        "watching several processes",
        "fervid clip.mp4 -o results --jobs 2 --alert 'faces > 1'",
        2,
        r"^--jobs shares the files out, and --alert watches one process; drop one of them\.$",
        CLIP,
    ),
)
