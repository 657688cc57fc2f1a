"""One picture of a camera as a JPEG, small enough to be sent and large enough to draw on."""

import cv2

from edge_agent.picture import Picture

LONGEST_SIDE_PX = 1280
MOST_BYTES = 900_000  # the server takes a megabyte


def still_jpeg(picture: Picture) -> bytes:
    """Return picture as a JPEG of at most MOST_BYTES; what the mask hides is black in it."""
    image = picture.cut(scale=min(1.0, LONGEST_SIDE_PX / max(picture.width, picture.height))).image
    for quality in (85, 60, 30):
        jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(jpeg) <= MOST_BYTES:
            break
    return jpeg
