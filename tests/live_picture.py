"""Take pictures of the live page in Chromium, over a network camera that plays the sample clip.

    python -m tests.live_picture docs/live.png [--seconds 40] [--clip CLIP] [--apart FOLDER]

writes one picture of the page on a desk, light, and on a phone, dark; with --apart all of them too,
and of the whole page where it is longer. With --lost there is a second camera, which is unplugged.
"""

import argparse
import contextlib
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from tests import live, servers
from tests.browser import chromium
from tests.places import SAMPLE

DESK, PHONE = (1280, 980), (390, 980)
VIEWS = (("light", DESK), ("dark", DESK), ("light", PHONE), ("dark", PHONE))
RATE = 12.0  # of the camera
GAP = 24  # px between the two
LOST_S = 12  # for which a camera has been unplugged


def taken(url):
    """A picture of the page for each of VIEWS."""
    with chromium() as browser:
        for scheme, (width, height) in VIEWS:
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page.goto(url)
            page.wait_for_selector("canvas[data-shown]", timeout=60_000)
            page.wait_for_selector(".chart canvas", timeout=60_000)
            page.wait_for_timeout(2500)
            yield f"{scheme}-{width}", _decoded(page.screenshot())
            yield f"{scheme}-{width}-whole", _decoded(page.screenshot(full_page=True))
            page.close()


def _decoded(png):
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


def main():
    """Run everything, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--seconds", type=float, default=40.0, help="of history")
    parser.add_argument("--clip", type=Path, default=SAMPLE)
    parser.add_argument("--width", type=int, help="of the camera's pictures")
    parser.add_argument("--apart", type=Path, help="folder for each picture by itself")
    parser.add_argument("--lost", action="store_true", help="a second camera, unplugged")
    given = parser.parse_args()
    pictures, unplugged = live.jpegs(given.clip, given.width), threading.Event()
    with contextlib.ExitStack() as stack:
        cameras = [live.camera(pictures, RATE)]
        if given.lost:
            cameras.append(live.camera(pictures[len(pictures) // 2 :], RATE, unplugged))
        hosts = [stack.enter_context(servers.http_server(camera)) for camera in cameras]
        urls = [f"http://{host}/camera" for host in hosts]
        run = stack.enter_context(live.running(*urls, "--serve", "0", "--no-window"))
        time.sleep(given.seconds)
        if given.lost:
            unplugged.set()
            time.sleep(LOST_S)
        found = dict(taken(run.url))
    if given.apart:
        for name, picture in found.items():
            cv2.imwrite(str(given.apart / f"live-{name}.png"), picture)
    both = [found[f"light-{DESK[0]}"], found[f"dark-{PHONE[0]}"]]
    gap = np.full((DESK[1], GAP, 3), 255, np.uint8)
    whole = np.concatenate([both[0], gap, both[1]], axis=1)
    cv2.imwrite(given.out, whole, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
