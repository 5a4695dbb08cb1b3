"""Every mistake, by what it is about."""

from tests.mistakes import (
    archives,
    configs,
    elsewhere,
    inputs,
    models,
    nets,
    outs,
    serving,
    vanish,
    words,
)
from tests.mistakes.record import Mistake

TABLE: dict[str, tuple[Mistake, ...]] = {
    "Commands": words.COMMANDS,
    "Options": words.OPTIONS,
    "Options that do not go together": words.PAIRS,
    "Events, alerts, metrics": words.WATCHING,
    "Configuration": configs.CONFIGS,
    "Users and passwords": configs.LOGINS,
    "Files": inputs.FILES,
    "Folders, patterns, links, cameras": inputs.FOLDERS,
    "Odd names": inputs.NAMES,
    "Parts of a video": inputs.PARTS,
    "Files elsewhere": elsewhere.ELSEWHERE,
    "Streams": nets.STREAMS,
    "Models": models.MODELS,
    "Outputs whose place is taken": outs.TAKEN,
    "Archives": archives.ARCHIVES,
    "Places that cannot be written or read": outs.PLACES,
    "While it runs": vanish.MEANWHILE,
    "Windows": vanish.DISPLAYS,
    "The live page": serving.PAGES,
    "Pipes, terminals, home": vanish.SURROUNDINGS,
    "Python": vanish.PYTHON,
}
MISTAKES = [mistake for group in TABLE.values() for mistake in group]
