"""Python, the installed distributions, and distributions that write over each other's files."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module, metadata
from pathlib import Path

from fervid import __version__
from fervid.doctor import Finding

OLDEST, NEWEST = (3, 11), (3, 13)
PLATFORMS = {("linux", "x86_64"), ("win32", "AMD64"), ("darwin", "arm64")}
# What is needed, with the oldest version; a test compares it with pyproject.toml.
NEEDED: dict[str, tuple[int, ...]] = {
    "av": (16,),
    "cyclopts": (5,),
    "mediapipe": (0, 10, 33),
    "numpy": (2,),
    "onnxruntime": (1, 22),
    "opencv-contrib-python": (4, 10),
    "psutil": (6,),
    "pyarrow": (16,),
    "rich": (14,),
}
MEDIAPIPE = "0.10.33"  # the release that opens no network socket
# A package's folder -> the distributions that write it; the first one found is what is meant to.
FAMILIES: dict[str, tuple[str, ...]] = {
    "cv2": (
        "opencv-contrib-python",
        "opencv-python",
        "opencv-python-headless",
        "opencv-contrib-python-headless",
    ),
    "onnxruntime": (
        "onnxruntime-gpu",
        "onnxruntime",
        "onnxruntime-directml",
        "onnxruntime-openvino",
        "onnxruntime-silicon",
        "ort-nightly",
    ),
}
LIBRARIES = {"cv2": "OpenCV"}
FOR_OPENCV = "on Debian and Ubuntu: apt install libgl1 libglib2.0-0 libxcb1"


def check_python(version: tuple[int, ...], system: str, machine: str) -> Finding:
    """Whether fervid's libraries exist for this Python and platform.

    Args:
        version: as `sys.version_info`.
        system: as `sys.platform`.
        machine: as `platform.machine()`.
    """
    found = f"{'.'.join(map(str, version[:3]))} on {system} {machine}"
    if version[:2] < OLDEST:
        return Finding("Python", "bad", found, "install Python 3.11, 3.12 or 3.13")
    if (system, machine) not in PLATFORMS:
        todo = "use Linux x86-64, Windows x64 or macOS arm64; elsewhere MediaPipe is missing"
        return Finding("Python", "note", found, todo)
    if version[:2] > NEWEST:
        return Finding("Python", "note", found, "fervid is tested with Python 3.11 to 3.13")
    return Finding("Python", "ok", found)


def check_versions(versions: Mapping[str, str | None]) -> list[Finding]:
    """Whether what is needed is installed and new enough.

    Args:
        versions: a version, or None for what is not installed, for each name in NEEDED.
    """
    missing = [name for name in NEEDED if versions[name] is None]
    old = [name for name, least in NEEDED.items() if _numbers(versions[name]) < least]
    old = [name for name in old if name not in missing]
    shown = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    findings = [Finding("Packages", "ok", f"fervid {__version__}, {shown}")]
    for names, what in ((missing, "not installed"), (old, "too old")):
        if names:
            todo = "pip install --upgrade fervid in this virtual environment"
            findings.append(Finding("Packages", "bad", f"{', '.join(names)}: {what}", todo))
    found = versions["mediapipe"]
    if found is not None and found != MEDIAPIPE:
        findings.append(
            Finding(
                "Privacy",
                "note",
                f"MediaPipe {found} may report its use to its maker",
                f"pip install mediapipe=={MEDIAPIPE}",
            )
        )
    return findings


def _numbers(version: str | None) -> tuple[int, ...]:
    """The leading numbers of a version: "1.22.0rc1" is (1, 22)."""
    numbers = []
    for part in (version or "").split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)


def check_family(
    package: str, installed: Sequence[str], spoilt: Mapping[str, int], broken: str
) -> Finding:
    """Whether one distribution, and only one, provides a package, and it can be imported.

    Args:
        package: the name that is imported, a key of FAMILIES.
        installed: the distributions of its family that are installed.
        spoilt: for each, how many of its files are gone or not as it wrote them.
        broken: why the import fails; empty if it does not.
    """
    name = LIBRARIES.get(package, package)
    wanted = next((item for item in FAMILIES[package] if item in installed), FAMILIES[package][0])
    afresh = f"pip uninstall -y {' '.join(installed)}; pip install {wanted}"
    hurt = [
        f"{count} files of {item} are gone or not its own"
        for item, count in spoilt.items()
        if count
    ]
    if broken:
        todo = FOR_OPENCV if ".so" in broken and package == "cv2" else afresh
        return Finding(name, "bad", f"{package} cannot be imported: {broken}", todo)
    if len(installed) > 1:
        found = f"{' and '.join(installed)} both write the folder {package}"
        return Finding(name, "note", "; ".join([found, *hurt]), afresh)
    if hurt:
        return Finding(name, "note", "; ".join(hurt), afresh)
    return Finding(name, "ok", f"from {' '.join(installed) or 'no known distribution'} alone")


def installed_versions(
    version: Callable[[str], str] = metadata.version,
) -> dict[str, str | None]:
    """The version of everything in NEEDED, None where it is not installed."""
    found: dict[str, str | None] = {}
    for name in NEEDED:
        family = FAMILIES["onnxruntime"] if name == "onnxruntime" else (name,)
        found[name] = next((v for v in (_version(item, version) for item in family) if v), None)
    return found


def _version(name: str, version: Callable[[str], str]) -> str | None:
    try:
        return version(name)
    except metadata.PackageNotFoundError:
        return None


def family_facts(package: str) -> tuple[list[str], dict[str, int], str]:
    """What `check_family` wants to know of a package: who is installed, spoilt files, the error."""
    installed, spoilt = [], {}
    for name in FAMILIES[package]:
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        installed.append(name)
        spoilt[name] = sum(_is_spoilt(file) for file in distribution.files or ())
    return installed, spoilt, import_problem(package)


def _is_spoilt(file: metadata.PackagePath) -> bool:
    """Whether a file is gone, or has another size than when it was installed."""
    if file.size is None or file.suffix == ".pyc":
        return False
    path = Path(str(file.locate()))
    return not path.is_file() or path.stat().st_size != file.size


def import_problem(package: str) -> str:
    """Why a package cannot be imported; empty if it can."""
    try:
        import_module(package)
    except Exception as error:  # noqa: BLE001  a half-installed library may raise anything
        return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
    return ""
