// Shapes drawn on a camera's picture. The text fields below it hold what is sent: the drawing follows them, and
// they follow the drawing, so that everything can be done from the keyboard, and without this script.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const STEP = 0.01; // of the picture, for an arrow key
const LAYERS = ["mask", "watch", "zones"];

function shapesIn(layer, text) {
  return text.split("\n").filter((line) => line.trim()).map((line) => {
    const cut = layer === "zones" ? line.lastIndexOf(":") : -1;
    const corners = line.slice(cut + 1).trim().split(/\s+/).map((each) => each.split(",").map(Number));
    const isRight = corners.every((each) => each.length === 2 && each.every((value) => value >= 0 && value <= 1));
    return { name: cut > 0 ? line.slice(0, cut).trim() : "", corners: isRight ? corners : [], line: isRight ? "" : line };
  });
}

const places = (value) => String(Math.round(value * 1000) / 1000);

class Drawing {
  constructor(root) {
    this.root = root;
    this.svg = root.querySelector("svg");
    this.image = root.querySelector("img");
    this.hint = root.querySelector("[data-hint]");
    this.fields = Object.fromEntries(LAYERS.map((each) => [each, document.getElementById(each)]));
    this.shapes = {};
    this.layer = "mask";
    this.current = -1;
    for (const layer of LAYERS) {
      this.read(layer);
      this.fields[layer].addEventListener("input", () => this.typed(layer));
      this.fields[layer].addEventListener("focus", () => this.choose(layer));
    }
    for (const each of root.querySelectorAll("[name=layer]")) each.addEventListener("change", () => this.choose(each.value));
    root.querySelector("[data-new]").addEventListener("click", () => this.begin());
    root.querySelector("[data-undo]").addEventListener("click", () => this.undo());
    root.querySelector("[data-delete]").addEventListener("click", () => this.remove());
    this.svg.addEventListener("click", (event) => this.tapped(event));
    this.image.addEventListener("load", () => this.reveal());
    if (this.image.complete && this.image.naturalWidth) this.reveal();
    new ResizeObserver(() => this.draw()).observe(this.svg);
    this.draw();
  }

  // Without a picture there is nothing to draw on: until then the text fields are the way.
  reveal() {
    this.image.hidden = this.root.hidden = false;
    this.draw();
  }

  // -- what is drawn, and what is written ----------------------------------------------------------------

  read(layer) {
    this.shapes[layer] = shapesIn(layer, this.fields[layer].value);
  }

  typed(layer) {
    this.read(layer);
    this.current = Math.min(this.current, this.shapes[layer].length - 1);
    this.draw();
  }

  write() {
    const lines = this.shapes[this.layer].map((shape) => {
      if (shape.line) return shape.line; // somebody's own words, which are no shape yet
      const corners = shape.corners.map((corner) => corner.map(places).join(",")).join(" ");
      return this.layer === "zones" ? `${shape.name}: ${corners}` : corners;
    });
    this.fields[this.layer].value = lines.filter((line) => line.trim()).join("\n");
    this.draw();
  }

  choose(layer) {
    if (layer === this.layer) return;
    this.layer = layer;
    this.current = this.shapes[layer].length - 1;
    this.root.querySelector(`[name=layer][value=${layer}]`).checked = true;
    this.draw();
  }

  get shape() {
    return this.shapes[this.layer][this.current];
  }

  begin() {
    if (!this.shape || this.shape.corners.length || this.shape.line) {
      const number = this.shapes[this.layer].length + 1;
      this.shapes[this.layer].push({ name: `${this.root.dataset.newName} ${number}`, corners: [], line: "" });
      this.current = number - 1;
    }
    this.draw();
  }

  undo() {
    if (!this.shape || this.shape.line) return;
    this.shape.corners.pop();
    if (this.shape.corners.length) this.write();
    else this.remove();
  }

  remove() {
    if (this.current < 0) return;
    this.shapes[this.layer].splice(this.current, 1);
    this.current = this.shapes[this.layer].length - 1;
    this.write();
  }

  // -- pointers and keys ---------------------------------------------------------------------------------

  at(event) {
    const box = this.svg.getBoundingClientRect();
    const within = (value) => Math.min(1, Math.max(0, value));
    return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)];
  }

  tapped(event) {
    if (this.dragged) return (this.dragged = false);
    const drawn = event.target.closest("polygon");
    const isActive = drawn && drawn.dataset.layer === this.layer;
    if (isActive && Number(drawn.dataset.index) !== this.current) {
      this.current = Number(drawn.dataset.index);
      return this.draw();
    }
    if (event.target.closest("circle")) return;
    if (!this.shape || this.shape.line) this.begin();
    this.shape.corners.push(this.at(event));
    this.write();
  }

  grab(event, index) {
    const handle = event.currentTarget;
    handle.setPointerCapture(event.pointerId);
    event.preventDefault();
    const move = (moved) => {
      this.dragged = true;
      this.shape.corners[index] = this.at(moved);
      this.place();
    };
    const drop = () => {
      handle.removeEventListener("pointermove", move);
      this.write();
      this.focus(index);
      setTimeout(() => (this.dragged = false)); // after the click that ends a drag
    };
    handle.addEventListener("pointermove", move);
    handle.addEventListener("pointerup", drop, { once: true });
    handle.addEventListener("pointercancel", drop, { once: true });
  }

  key(event, index) {
    const ways = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    const way = ways[event.key];
    if (way) {
      this.shape.corners[index] = this.shape.corners[index].map((value, axis) => Math.min(1, Math.max(0, value + way[axis])));
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.shape.corners.splice(index, 1);
      if (!this.shape.corners.length) return event.preventDefault(), this.remove();
    } else return;
    event.preventDefault();
    this.write();
    this.focus(Math.min(index, this.shape.corners.length - 1));
  }

  focus(index) {
    this.svg.querySelectorAll("circle")[index]?.focus();
  }

  // -- the picture of it -----------------------------------------------------------------------------------

  draw() {
    const handles = [];
    const drawn = [];
    for (const layer of LAYERS) {
      this.shapes[layer].forEach((shape, index) => {
        if (!shape.corners.length) return;
        const polygon = document.createElementNS(SVG, "polygon");
        polygon.dataset.layer = layer;
        polygon.dataset.index = index;
        const isCurrent = layer === this.layer && index === this.current;
        polygon.setAttribute("class", `${layer}${isCurrent ? " current" : ""}`);
        drawn.push(polygon);
        if (isCurrent) shape.corners.forEach((_, corner) => handles.push(this.handle(corner)));
      });
    }
    this.svg.replaceChildren(...drawn, ...handles);
    this.place();
    const { add, few } = this.root.dataset;
    this.hint.textContent = this.shape && this.shape.corners.length && this.shape.corners.length < 3 ? few : add;
  }

  handle(corner) {
    const circle = document.createElementNS(SVG, "circle");
    circle.setAttribute("tabindex", "0");
    circle.setAttribute("role", "button");
    const words = this.root.dataset.corner.replace("{corner}", corner + 1).replace("{shape}", this.current + 1);
    circle.setAttribute("aria-label", words);
    circle.addEventListener("pointerdown", (event) => this.grab(event, corner));
    circle.addEventListener("keydown", (event) => this.key(event, corner));
    return circle;
  }

  place() {
    const { width, height } = this.svg.getBoundingClientRect();
    if (!width) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    for (const polygon of this.svg.querySelectorAll("polygon")) {
      const { corners } = this.shapes[polygon.dataset.layer][polygon.dataset.index];
      polygon.setAttribute("points", corners.map(([x, y]) => `${x * width},${y * height}`).join(" "));
    }
    this.svg.querySelectorAll("circle").forEach((circle, index) => {
      const [x, y] = this.shape.corners[index];
      circle.setAttribute("cx", x * width);
      circle.setAttribute("cy", y * height);
      circle.setAttribute("r", 9);
    });
  }
}

// -- a picture from the camera: asked for without losing what was typed --------------------------------------

class StillButton {
  constructor(button, image) {
    this.button = button;
    this.image = image;
    this.words = document.querySelector("[data-still-words]");
    button.addEventListener("click", (event) => this.ask(event));
  }

  async ask(event) {
    event.preventDefault();
    this.button.disabled = true;
    const body = new FormData();
    body.append("csrf_token", this.button.form.elements.csrf_token.value);
    await this.hear(this.button.formAction, { method: "POST", body });
  }

  async hear(url, options) {
    try {
      const reply = await fetch(url, { ...options, headers: { "X-Requested-With": "hadir" }, cache: "no-store" });
      const told = await reply.json();
      this.words.textContent = told.words || told.error || "";
      if (told.state === "waiting") return void setTimeout(() => this.hear(this.button.dataset.still, {}), 1000);
      if (told.url) this.image.src = told.url;
    } catch (error) {
      this.words.textContent = String(error.message || error);
    }
    this.button.disabled = false;
  }
}

for (const root of document.querySelectorAll("[data-draw]")) {
  const drawing = new Drawing(root);
  for (const button of document.querySelectorAll("[data-still]")) new StillButton(button, drawing.image);
}
