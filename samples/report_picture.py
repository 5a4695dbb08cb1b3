"""Take a picture of a report in Chromium, light and dark side by side.

fervid samples/noisy_portrait.mp4 -o results/
python samples/report_picture.py results/noisy_portrait/report.html docs/report.png
"""

import argparse
import shutil
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

SIZE = {"width": 900, "height": 1480}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def pictures(report, share):
    """The report in light and in dark, with the cursor at a place of its charts, 0-1."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport=SIZE, color_scheme=scheme)
            page.goto(report.absolute().as_uri())
            page.wait_for_selector("html[data-ready]")
            box = page.locator("#classes .u-over").bounding_box()
            page.mouse.move(box["x"] + box["width"] * share, box["y"] + 40)
            png = np.frombuffer(page.screenshot(), np.uint8)
            yield cv2.imdecode(png, cv2.IMREAD_COLOR)
        browser.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("out")
    parser.add_argument("--at", type=float, default=0.4, help="where the cursor is, 0-1")
    args = parser.parse_args()
    both = np.concatenate(list(pictures(args.report, args.at)), axis=1)
    cv2.imwrite(args.out, both, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
