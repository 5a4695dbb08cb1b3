"""The EAF format, ELAN's annotation files: XML of schema 3.0.

Source: "ELAN Annotation Format: EAF", schema version 3.0, The Language Archive (Max Planck
    Institute for Psycholinguistics).
"""

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from xml.etree import ElementTree as ET

from fervid.intervals import Interval

SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
# What ELAN itself writes for words of no certain language.
LANGUAGE = ("und", "http://cdb.iso.org/lg/CDB-00130975-001", "undetermined (und)")
VOCABULARY = "expressions"
TYPES = {"expression": VOCABULARY, "uncertain": None}  # of tiers, and what their values are from
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Media:
    """The linked video.

    Attributes:
        path: relative to the annotations, with slashes.
        mime: its type.
        zero_s: where it begins in the time of the rows.
    """

    path: str
    mime: str
    zero_s: float


@dataclass(frozen=True, slots=True)
class Tier:
    """A row of annotations that do not overlap: its name, a key of TYPES, and the intervals."""

    name: str
    kind: str
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """What a file of annotations says.

    Attributes:
        author: who made it.
        made: when, with a time zone.
        classes: the values that a tier of expressions may have.
        tiers: of all faces.
        media: the linked video; None without.
    """

    author: str
    made: datetime
    classes: tuple[str, ...]
    tiers: tuple[Tier, ...]
    media: Media | None


def in_ms(interval: Interval) -> tuple[int, int]:
    """Begin and end in whole milliseconds; ELAN shows nothing that is shorter than one."""
    begin = max(0, round(1000 * interval.start_s))
    return begin, max(begin + 1, round(1000 * interval.end_s))


def eaf(document: Document) -> str:
    """The file's text; elements stand in the order that the schema asks for."""
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "xmlns:xsi": INSTANCE,
            "xsi:noNamespaceSchemaLocation": SCHEMA,
            "AUTHOR": _text(document.author),
            "DATE": document.made.isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
        },
    )
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    order = ET.SubElement(root, "TIME_ORDER")
    last = _add_tiers(root, order, document.tiers)
    _fill_header(header, document.media, last)
    for kind, vocabulary in TYPES.items():
        fields = {"LINGUISTIC_TYPE_ID": kind, "TIME_ALIGNABLE": "true"}
        fields |= {"GRAPHIC_REFERENCES": "false"}
        fields |= {"CONTROLLED_VOCABULARY_REF": vocabulary} if vocabulary else {}
        ET.SubElement(root, "LINGUISTIC_TYPE", fields)
    names = ("LANG_ID", "LANG_DEF", "LANG_LABEL")
    ET.SubElement(root, "LANGUAGE", dict(zip(names, LANGUAGE, strict=True)))
    _add_vocabulary(root, document.classes)
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _fill_header(header: ET.Element, media: Media | None, last: int) -> None:
    if media is not None:
        # ELAN looks beside the file where the first address leads nowhere.
        address = quote(media.path if media.path.startswith(("/", "../")) else f"./{media.path}")
        fields = {"MEDIA_URL": address, "MIME_TYPE": media.mime, "RELATIVE_MEDIA_URL": address}
        ET.SubElement(header, "MEDIA_DESCRIPTOR", fields)
    ET.SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"}).text = str(last)


def _add_tiers(root: ET.Element, order: ET.Element, tiers: tuple[Tier, ...]) -> int:
    """Add tiers, and their times in rising order; returns the last annotation's number."""
    number, times = 0, list[tuple[int, ET.Element, str]]()
    for tier in tiers:
        fields = {"LINGUISTIC_TYPE_REF": tier.kind, "TIER_ID": tier.name}
        rows = ET.SubElement(root, "TIER", fields)
        for interval in tier.intervals:
            number += 1
            place = ET.SubElement(rows, "ANNOTATION")
            row = ET.SubElement(place, "ALIGNABLE_ANNOTATION", {"ANNOTATION_ID": f"a{number}"})
            ET.SubElement(row, "ANNOTATION_VALUE").text = _text(interval.value)
            for end, time_ms in enumerate(in_ms(interval), start=1):
                times.append((time_ms, row, f"TIME_SLOT_REF{end}"))
    times.sort(key=lambda entry: entry[0])
    for slot, (time_ms, row, name) in enumerate(times, start=1):
        fields = {"TIME_SLOT_ID": f"ts{slot}", "TIME_VALUE": str(time_ms)}
        ET.SubElement(order, "TIME_SLOT", fields)
        row.set(name, f"ts{slot}")
    return number


def _add_vocabulary(root: ET.Element, classes: tuple[str, ...]) -> None:
    """The classes, so that a person who corrects a label chooses from them."""
    words = ET.SubElement(root, "CONTROLLED_VOCABULARY", {"CV_ID": VOCABULARY})
    ET.SubElement(words, "DESCRIPTION", {"LANG_REF": LANGUAGE[0]})
    for number, name in enumerate(classes):
        entry = ET.SubElement(words, "CV_ENTRY_ML", {"CVE_ID": f"cveid{number}"})
        value = ET.SubElement(entry, "CVE_VALUE", {"DESCRIPTION": "", "LANG_REF": LANGUAGE[0]})
        value.text = _text(name)


def _text(value: str) -> str:
    """A text without what no XML may hold."""
    return NOT_XML.sub("?", value)
