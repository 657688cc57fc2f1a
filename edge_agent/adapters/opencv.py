"""OpenCV, set up before its first use: RTSP over TCP, opens that do not queue, and no words of its own."""

import os

# Read by OpenCV when the first stream is opened. UDP loses packets and shows grey smears; FFmpeg's own
# log would print what it is asked to open, password and all; its capture is thread-safe, so opens need not
# wait for one another.
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
os.environ.setdefault("OPENCV_FFMPEG_IS_THREAD_SAFE", "1")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
import cv2

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

__all__ = ["cv2"]
