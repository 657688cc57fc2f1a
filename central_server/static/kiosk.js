// The kiosk: one person after the other says whether they come or go, and who they are.
// It shows nothing of the one before, goes back to the start by itself, and claims nothing the server has not said.
"use strict";

const HEADERS = { "Content-Type": "application/json", "X-Requested-With": "hadir" };
const PULSE_MS = 10000;
const IDLE_MS = { who: 25000, held: 10000, good: 6000, bad: 15000 };
const RETRY_MS = 4000;
const GIVE_UP_MS = 45000;
const PIN_DIGITS = 6;

const body = document.body;
const WORDS = JSON.parse(body.dataset.words);
const HOME_LANGUAGE = body.dataset.language;
const PARTS = ["start", "who", "camera", "busy", "answer", "offline", "revoked"];
const find = (id) => document.getElementById(id);

class Kiosk {
  constructor() {
    this.language = HOME_LANGUAGE;
    this.part = "start";
    this.kind = ""; // in | out, once it was said
    this.held = ""; // a badge that was read before that
    this.sent = null; // the punch that is on its way, as it was sent
    this.answer = null; // what is said of it, as words
    this.misses = 0;
    this.isShutOut = false;
    this.ahead = Number(body.dataset.now) - Date.now(); // the server's clock is the right one
    this.idle = 0;
    this.camera = new CameraScan(find("video"), body.dataset.decoder);
    new Wedge(
      (text) => this.onBadge(text),
      () => this.refuse("wrong_badge"),
    );
    this.listen();
    this.reset();
    this.tick();
    this.pulse();
    this.stayAwake();
  }

  get words() {
    return WORDS[this.language];
  }

  listen() {
    for (const way of document.querySelectorAll("[data-kind]")) way.addEventListener("click", () => this.choose(way.dataset.kind));
    for (const each of document.querySelectorAll("[data-cancel]")) each.addEventListener("click", () => this.reset());
    for (const key of document.querySelectorAll("[data-digit]")) key.addEventListener("click", () => this.press(key.dataset.digit));
    for (const key of document.querySelectorAll("[data-letter]")) key.addEventListener("click", () => this.press(key.dataset.letter, find("code")));
    document.querySelector("[data-letters]").addEventListener("click", () => this.showLetters(find("letters").hidden));
    find("pin").addEventListener("focus", () => this.showLetters(false));
    document.querySelector("[data-switch]").addEventListener("click", () => this.setLanguage(this.language === "id" ? "en" : "id"));
    find("form").addEventListener("submit", (event) => this.submit(event));
    find("pin").addEventListener("input", () => (find("pin").value = find("pin").value.replace(/\D/g, "").slice(0, PIN_DIGITS)));
    find("use-camera").addEventListener("click", () => this.useCamera());
    find("answer-done").addEventListener("click", () => (this.sent ? this.send() : this.reset()));
    find("answer-other").addEventListener("click", () => this.reset());
    for (const name of ["pointerdown", "keydown"]) document.addEventListener(name, () => this.rest());
    document.addEventListener("keydown", (event) => this.type(event));
    for (const name of ["online", "offline", "pageshow"]) addEventListener(name, () => this.pulse());
    document.addEventListener("visibilitychange", () => document.hidden || (this.pulse(), this.stayAwake()));
    document.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  // -- what is on the screen ---------------------------------------------------------------------------------

  show(part) {
    this.part = part;
    const isLost = this.misses > 1 && (part === "start" || part === "who");
    const shown = this.isShutOut ? "revoked" : isLost ? "offline" : part;
    for (const name of PARTS) find(name).hidden = name !== shown;
    this.speak();
    this.rest();
  }

  speak() {
    const words = this.words;
    document.documentElement.lang = this.language;
    for (const element of document.querySelectorAll("[data-word]")) element.textContent = words[element.dataset.word];
    for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", words[element.dataset.label]);
    document.querySelector("[data-switch]").textContent = this.language === "id" ? "English" : "Bahasa Indonesia";
    document.querySelector("[data-said-kind]").textContent = this.kind ? words[this.kind] + "." : "";
    find("who").dataset.kind = this.kind;
    find("question").textContent = this.held ? words.badge_read : words.start;
    this.speakAnswer();
    this.showTime();
  }

  speakAnswer() {
    const said = this.answer || { tone: "", title: "", big: "", what: "", name: "", time: "", done: "done" };
    const fill = (name, time = said.time) => (name ? this.words[name].replace("{name}", () => said.name).replace("{time}", time) : "");
    find("answer").className = `kiosk-part answer ${said.tone}`;
    find("answer-title").textContent = fill(said.title);
    find("answer-big").textContent = fill(said.big);
    find("answer-what").textContent = fill(said.what, said.before);
    find("answer-done").textContent = this.words[said.done];
    find("answer-other").textContent = this.words.cancel;
    find("answer-other").hidden = said.done !== "retry";
  }

  setLanguage(language) {
    this.language = language;
    this.speak();
  }

  rest() {
    clearTimeout(this.idle);
    const tone = this.part === "answer" && this.answer ? this.answer.tone : "";
    const wait = this.part === "start" ? (this.held ? IDLE_MS.held : IDLE_MS.who) : tone === "good" ? IDLE_MS.good : tone ? IDLE_MS.bad : IDLE_MS.who;
    if (this.part !== "busy" && !this.sent) this.idle = setTimeout(() => this.reset(), wait);
  }

  reset() {
    const version = this.version;
    this.kind = this.held = "";
    this.sent = this.answer = null;
    this.language = HOME_LANGUAGE;
    this.camera.stop();
    find("form").reset();
    find("form-problem").textContent = "";
    this.showLetters(false);
    if (document.activeElement) document.activeElement.blur();
    if (version && version !== body.dataset.version && !this.misses) return location.reload();
    this.show("start");
  }

  // -- the steps ----------------------------------------------------------------------------------------------

  choose(kind) {
    this.kind = kind;
    if (this.held) return this.punch({ badge: this.held });
    this.pulse();
    find("use-camera").hidden = !CameraScan.isPossible;
    this.show("who");
    find("code").focus();
  }

  onBadge(text) {
    find("form").reset();
    if (this.part === "busy" || this.sent || this.isShutOut) return;
    if (this.kind && (this.part === "who" || this.part === "camera")) return this.punch({ badge: text });
    this.reset();
    this.held = text;
    this.show("start");
    find("question").focus();
  }

  // The keys on the screen write the PIN; with letters shown, the code.
  press(key, field = find("letters").hidden ? find("pin") : find("code")) {
    const most = field === find("pin") ? PIN_DIGITS : field.maxLength;
    field.value = key === "erase" ? field.value.slice(0, -1) : (field.value + key).slice(0, most);
    find("form-problem").textContent = "";
  }

  showLetters(isShown) {
    find("letters").hidden = !isShown;
    find("code").classList.toggle("typed", isShown);
    document.querySelector("[data-letters]").setAttribute("aria-pressed", String(isShown));
  }

  // A keyboard after a tap on the keypad: the digits go on into the PIN, and Enter presses no key again.
  type(event) {
    if (this.part !== "who" || event.defaultPrevented || event.target.matches("input")) return;
    if (/^[0-9]$/.test(event.key)) this.press(event.key, find("pin"));
    else if (event.key === "Backspace") this.press("erase");
    else if (event.key === "Enter" && event.target.matches("[data-digit], [data-letter]")) {
      event.preventDefault();
      find("form").requestSubmit();
    }
  }

  submit(event) {
    event.preventDefault();
    const code = find("code").value.trim();
    const pin = find("pin").value;
    if (BADGE.test(code)) return this.punch({ badge: code });
    if (code && !pin && (document.activeElement === find("code") || !find("letters").hidden)) return find("pin").focus();
    if (!code || pin.length !== PIN_DIGITS) {
      find("form-problem").textContent = this.words.missing;
      return (code ? find("pin") : find("code")).focus();
    }
    this.punch({ code, pin });
  }

  async useCamera() {
    this.show("camera");
    let text = null;
    let problem = "camera_late";
    try {
      text = await this.camera.read(30);
    } catch {
      problem = "camera_no";
    }
    if (this.part !== "camera") return;
    if (text) return this.punch({ badge: text });
    this.camera.stop();
    this.show("who");
    find("form-problem").textContent = this.words[problem];
  }

  // -- sending ------------------------------------------------------------------------------------------------

  punch(who) {
    if (this.sent) return;
    const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (each) => each.toString(16).padStart(2, "0")).join("");
    this.sent = { id, kind: this.kind, ...who };
    this.since = Date.now();
    this.camera.stop();
    find("form").reset();
    this.send();
  }

  async send() {
    clearTimeout(this.again);
    const sent = this.sent;
    if (this.part !== "answer") this.show("busy");
    let reply, told;
    try {
      reply = await fetch("/kiosk/punch", { method: "POST", headers: HEADERS, body: JSON.stringify(sent), cache: "no-store", signal: AbortSignal.timeout(10000) });
      told = await reply.json();
    } catch {
      reply = null;
    }
    if (this.sent !== sent) return; // given up meanwhile
    if (!reply || reply.status >= 500) return this.unsure();
    this.sent = null;
    if (reply.ok) return this.welcome(told);
    if (reply.status === 401) this.isShutOut = true;
    this.refuse(told.error);
  }

  unsure() {
    if (Date.now() - this.since > GIVE_UP_MS) {
      this.sent = null;
      this.misses = 2;
      return this.say({ tone: "bad", title: "given_up", what: "given_up_what", done: "done" });
    }
    this.say({ tone: "warn", title: "unsure", what: "unsure_what", done: "retry" });
    this.again = setTimeout(() => this.sent && this.send(), RETRY_MS);
  }

  welcome(told) {
    this.misses = 0;
    const isIn = told.kind === "in";
    this.say({
      tone: told.before ? "warn" : "good",
      title: isIn ? "hello" : "goodbye",
      big: isIn ? "hello_at" : "goodbye_at",
      what: told.before ? (isIn ? "again_in" : "again_out") : "",
      name: told.name,
      time: told.at,
      before: told.before,
      done: "done",
    });
  }

  refuse(why) {
    this.sent = null;
    const known = ["wrong", "wrong_badge", "inactive", "throttled"].includes(why) ? why : "inactive";
    this.say({ tone: "bad", title: "refused", big: known, what: `${known}_what`, done: "done" });
  }

  say(answer) {
    this.answer = { name: "", time: "", big: "", what: "", ...answer };
    this.show("answer");
    find("answer").focus();
  }

  // -- the server, the clock, the screen ----------------------------------------------------------------------

  async pulse() {
    clearTimeout(this.next);
    try {
      const reply = await fetch("/kiosk/pulse", { headers: HEADERS, cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (reply.status === 401) this.shutOut(true);
      else if (!reply.ok) throw new Error(String(reply.status));
      else this.hear(await reply.json());
    } catch {
      this.miss();
    }
    clearTimeout(this.next);
    this.next = setTimeout(() => this.pulse(), this.misses ? PULSE_MS / 4 : PULSE_MS);
  }

  hear(told) {
    const wasLost = this.misses > 1;
    this.misses = 0;
    this.ahead = told.now - Date.now();
    this.version = told.version;
    if (this.isShutOut) return location.reload();
    if (wasLost) this.show(this.part);
    if (this.part === "start" && !this.held && told.version !== body.dataset.version) location.reload();
  }

  miss() {
    this.misses += navigator.onLine ? 1 : 2; // one missed answer is no news
    if (this.misses > 1 && find("offline").hidden) this.show(this.part);
  }

  shutOut(isOut) {
    if (this.isShutOut === isOut) return;
    this.isShutOut = isOut;
    this.sent = null;
    this.show("start");
  }

  tick() {
    this.showTime();
    setTimeout(() => this.tick(), 1000);
  }

  showTime() {
    const now = new Date(Date.now() + this.ahead);
    const zone = { timeZone: body.dataset.zone };
    const write = (id, locale, options) => {
      const text = new Intl.DateTimeFormat(locale, { ...zone, ...options }).format(now);
      if (find(id).textContent !== text) find(id).textContent = text;
    };
    write("clock", "en-GB", { hour: "2-digit", minute: "2-digit" });
    write("date", this.language === "id" ? "id-ID" : "en-GB", { weekday: "long", day: "numeric", month: "long" });
  }

  async stayAwake() {
    try {
      await navigator.wakeLock.request("screen");
    } catch {
      // Not every browser can; then the tablet's own settings keep it awake.
    }
  }
}

new Kiosk();
