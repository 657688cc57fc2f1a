// Badges: typed by a USB scanner, or seen by the tablet's camera. A picture never leaves this page.
"use strict";

const BADGE = /^HB[A-Z2-7]{32}$/i;

// -- a scanner is a keyboard that types fast and ends with Enter -------------------------------------------

class Wedge {
  constructor(onBadge, onOther) {
    this.typed = "";
    this.at = 0;
    this.onBadge = onBadge;
    this.onOther = onOther;
    document.addEventListener("keydown", (event) => this.take(event), { capture: true });
  }

  take(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.timeStamp - this.at > 1000) this.typed = "";
    this.at = event.timeStamp;
    if (event.key.length === 1) this.typed = (this.typed + event.key).slice(-64);
    if (event.key !== "Enter") return;
    const text = this.typed.trim();
    this.typed = "";
    const isBadge = BADGE.test(text);
    if (!isBadge && (text.length < 9 || event.target.matches("input"))) return;
    event.preventDefault(); // else it presses the button that has the focus
    event.stopPropagation();
    if (isBadge) this.onBadge(text);
    else this.onOther();
  }
}

// -- the camera ---------------------------------------------------------------------------------------------

class CameraScan {
  constructor(video, decoderUrl) {
    this.video = video;
    this.decoderUrl = decoderUrl;
    this.stream = null;
    this.run = 0; // counts scans, so that one that was given up ends by itself
  }

  static get isPossible() {
    return Boolean(navigator.mediaDevices && navigator.mediaDevices.getUserMedia); // by HTTPS only
  }

  // Returns the badge's text, or null when it was given up or none came in time.
  async read(seconds) {
    const run = ++this.run;
    const decode = await this.decoder();
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 720 } },
    });
    if (run !== this.run) {
      for (const track of stream.getTracks()) track.stop();
      return null;
    }
    this.stream = stream;
    this.video.srcObject = stream;
    try {
      await this.video.play();
      const until = Date.now() + seconds * 1000;
      while (run === this.run && Date.now() < until) {
        const text = await decode(this.video);
        if (run === this.run && text && BADGE.test(text.trim())) return text.trim();
        await new Promise((go) => setTimeout(go, 120));
      }
      return null;
    } finally {
      if (run === this.run) this.stop();
    }
  }

  stop() {
    this.run += 1;
    if (this.stream) for (const track of this.stream.getTracks()) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }

  // The browser's own where it has one, else ours, which is loaded only now.
  async decoder() {
    if ("BarcodeDetector" in window) {
      try {
        const kinds = await BarcodeDetector.getSupportedFormats();
        if (kinds.includes("qr_code")) {
          const detector = new BarcodeDetector({ formats: ["qr_code"] });
          return async (video) => ((await detector.detect(video))[0] || {}).rawValue;
        }
      } catch {
        // Some tablets only seem to have one.
      }
    }
    const { decodeQR } = await import(this.decoderUrl);
    const canvas = document.createElement("canvas");
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    return (video) => {
      if (!video.videoWidth) return null;
      const scale = Math.min(1, 800 / video.videoWidth);
      canvas.width = Math.round(video.videoWidth * scale);
      canvas.height = Math.round(video.videoHeight * scale);
      pen.drawImage(video, 0, 0, canvas.width, canvas.height);
      try {
        return decodeQR(pen.getImageData(0, 0, canvas.width, canvas.height));
      } catch {
        return null; // no code in this picture
      }
    };
  }
}
