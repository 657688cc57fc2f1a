// Hadir's own script: the live parts of a page, forms that send themselves, the menu, photo uploads.
// Everything works without it except the board's updating by itself and the progress of an upload.
"use strict";

const HEADERS = { "X-Requested-With": "hadir" };

// -- live parts: <section data-live="/url" data-every="2000"> ----------------------------------------------

class LivePart {
  constructor(element) {
    this.element = element;
    this.every = Number(element.dataset.every) || 2000;
    this.state = document.querySelector("[data-live-state]");
    this.notice = document.querySelector("[data-live-notice]");
    this.tag = element.dataset.tag || "";
    this.failures = 0;
    this.heardAt = Date.now();
    this.timer = setTimeout(() => this.ask(), this.every);
    document.addEventListener("visibilitychange", () => this.onVisibility());
  }

  onVisibility() {
    clearTimeout(this.timer);
    if (document.hidden) return this.say("paused");
    this.ask();
  }

  async ask() {
    clearTimeout(this.timer);
    if (document.hidden) return;
    try {
      const reply = await fetch(this.element.dataset.live, {
        headers: { ...HEADERS, "If-None-Match": this.tag },
        cache: "no-store",
        signal: AbortSignal.timeout(8000),
      });
      if (reply.status === 401) return this.signedOut();
      if (reply.status !== 304 && !reply.ok) throw new Error(String(reply.status));
      if (reply.status === 200) this.show(await reply.text(), reply.headers.get("ETag") || "");
      this.failures = 0;
      this.heardAt = Date.now();
      this.say("live");
      this.element.classList.remove("is-stale");
      if (this.notice) this.notice.hidden = true;
    } catch {
      this.lost();
    }
    // A little later after each failure, at most every 15 s.
    this.timer = setTimeout(() => this.ask(), Math.min(15000, this.every * 1.6 ** this.failures));
  }

  show(html, tag) {
    this.tag = tag;
    const before = this.verdicts();
    const keep = (old) => !(old.dataset && "keep" in old.dataset); // a form somebody may be using
    Idiomorph.morph(this.element, html, { morphStyle: "innerHTML", callbacks: { beforeNodeMorphed: keep } });
    if (this.element.dataset.reloads && this.verdicts() !== before) this.reloadOthers();
  }

  verdicts() {
    return [...this.element.querySelectorAll("[data-verdict]")].map((each) => each.id + each.dataset.verdict).join();
  }

  // What else on the page says the same, by ids: <div data-reloads="one two">, after a verdict on something in it.
  async reloadOthers() {
    for (const line of document.querySelectorAll("[data-waiting]")) {
      if (document.getElementById(line.dataset.waiting)?.dataset.verdict) line.remove();
    }
    try {
      const reply = await fetch(location.href, { headers: HEADERS, cache: "no-store", signal: AbortSignal.timeout(8000) });
      if (!reply.ok) return;
      const page = new DOMParser().parseFromString(await reply.text(), "text/html");
      for (const id of this.element.dataset.reloads.split(" ")) {
        const [here, there] = [document.getElementById(id), page.getElementById(id)];
        if (here && there) Idiomorph.morph(here, there, { morphStyle: "outerHTML" });
      }
    } catch {
      // The next reload of the page tells.
    }
  }

  lost() {
    this.failures += 1;
    if (this.failures < 2) return; // one missed answer is no news
    const minutes = Math.floor((Date.now() - this.heardAt) / 60000);
    this.say("lost");
    this.element.classList.add("is-stale");
    if (!this.notice) return;
    const text = minutes < 1 ? this.notice.dataset.now : this.notice.dataset.since.replace("%s", minutes);
    const line = this.notice.querySelector("p");
    if (line.textContent !== text) line.textContent = text;
    this.notice.hidden = false;
  }

  signedOut() {
    this.say("lost");
    location.reload();
  }

  say(state) {
    if (!this.state || this.state.dataset.state === state) return;
    this.state.dataset.state = state;
    this.state.textContent = this.state.getAttribute(`data-when-${state}`);
  }
}

// -- forms -------------------------------------------------------------------------------------------------

function sendsItself(form) {
  let timer = 0;
  form.addEventListener("change", (event) => {
    if (event.target.type !== "search") form.requestSubmit();
  });
  form.addEventListener("input", (event) => {
    if (event.target.type !== "search") return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      sessionStorage.setItem("hadir-focus", event.target.id);
      form.requestSubmit();
    }, 450);
  });
}

function keepSearchFocus() {
  const id = sessionStorage.getItem("hadir-focus");
  sessionStorage.removeItem("hadir-focus");
  const field = id && document.getElementById(id);
  if (!field) return;
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}

function onceOnly(form) {
  form.addEventListener("submit", () => {
    const buttons = [...form.elements].filter((each) => each.matches("button[type=submit]")); // also outside it
    for (const button of buttons) setTimeout(() => (button.disabled = true));
  });
}

// -- menu on phones ----------------------------------------------------------------------------------------

function menu(button) {
  const side = document.getElementById("side");
  const close = side.querySelector(".close");
  const toggle = (open) => {
    side.classList.toggle("open", open);
    button.setAttribute("aria-expanded", String(open));
    (open ? close : button).focus();
  };
  button.addEventListener("click", () => toggle(true));
  close.addEventListener("click", () => toggle(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && side.classList.contains("open")) toggle(false);
  });
}

// -- photos: several at once, each with its own progress ----------------------------------------------------

class Uploads {
  constructor(form) {
    this.form = form;
    this.input = form.querySelector("input[type=file]");
    this.list = document.getElementById(form.dataset.list);
    this.drop = form.querySelector(".drop");
    this.queue = Promise.resolve();
    form.querySelector("[data-without-script]").hidden = true;
    this.input.addEventListener("change", () => this.take(this.input.files));
    for (const name of ["dragenter", "dragover"]) this.drop.addEventListener(name, (event) => this.over(event, true));
    for (const name of ["dragleave", "drop"]) this.drop.addEventListener(name, (event) => this.over(event, false));
    this.drop.addEventListener("drop", (event) => this.take(event.dataTransfer.files));
  }

  over(event, isOver) {
    event.preventDefault();
    this.drop.classList.toggle("over", isOver);
  }

  take(files) {
    for (const file of [...files]) {
      const line = document.createElement("li");
      const name = document.createElement("span");
      const bar = document.createElement("progress");
      name.textContent = file.name;
      bar.max = 1;
      bar.value = 0;
      bar.setAttribute("aria-label", file.name);
      line.append(name, bar);
      this.list.append(line);
      this.queue = this.queue.then(() => this.send(file, line, bar));
    }
    this.queue.then(() => (this.input.value = ""));
  }

  send(file, line, bar) {
    const body = new FormData();
    body.append("csrf_token", this.form.elements.csrf_token.value);
    body.append("photos", file);
    return new Promise((done) => {
      const request = new XMLHttpRequest();
      request.open("POST", this.form.action);
      request.setRequestHeader("X-Requested-With", "hadir");
      request.upload.addEventListener("progress", (event) => {
        if (event.lengthComputable) bar.value = event.loaded / event.total;
      });
      request.addEventListener("loadend", () => {
        bar.remove();
        const words = document.createElement("strong");
        const results = request.status === 200 ? JSON.parse(request.responseText).results : [];
        words.textContent = " — " + (results.length ? results[0].words : this.form.dataset.failed);
        if (results.length && results[0].waiting) line.dataset.waiting = results[0].waiting;
        words.className = results.length && results[0].ok ? "good-ink" : "bad-ink";
        line.append(words);
        done();
      });
      request.send(body);
    });
  }
}

// -- copying: <button data-copies="id"> puts that element's text on the clipboard --------------------------

function copies(button) {
  if (!navigator.clipboard) return; // only over HTTPS; without it the text can be marked with one click
  const text = document.getElementById(button.dataset.copies).textContent;
  const words = button.textContent;
  button.hidden = false;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = button.dataset.done;
    setTimeout(() => (button.textContent = words), 2000);
  });
}

// -- start -------------------------------------------------------------------------------------------------

for (const element of document.querySelectorAll("[data-live]")) new LivePart(element);
for (const form of document.querySelectorAll("form[data-sends-itself]")) sendsItself(form);
for (const form of document.querySelectorAll("form[method=post]:not([data-uploads])")) onceOnly(form);
for (const form of document.querySelectorAll("form[data-uploads]")) new Uploads(form);
for (const button of document.querySelectorAll("[data-menu]")) menu(button);
for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => print());
for (const button of document.querySelectorAll("[data-copies]")) copies(button);
keepSearchFocus();
const refused = document.querySelector("[aria-invalid=true]"); // where the person has to look next
if (refused) refused.focus();
