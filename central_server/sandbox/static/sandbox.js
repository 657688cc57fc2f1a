"use strict";

const EVERY_MS = 1000;
const TICKS = { accepted: "◷", sent: "✓", delivered: "✓✓", read: "✓✓" };
const WORDS = { accepted: "taken by WhatsApp", sent: "sent", delivered: "delivered", read: "read" };
const phones = new Map();   // phone number → its column
const bubbles = new Map();  // message id → its bubble
const main = document.getElementById("phones");
let version = 0;

const pretty = (phone) => "+" + (phone.startsWith("62")
  ? phone.replace(/^(62)(\d{3})(\d{4})(\d*)$/, "$1 $2-$3-$4")
  : phone);
const copyOf = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);
const clock = (at) => at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

async function post(path, body) {
  await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  await refresh();
}

function columnOf(phone) {
  let column = phones.get(phone);
  if (column) return column;
  column = copyOf("phone");
  const input = column.querySelector("input");
  input.setAttribute("aria-label", `Reply as ${pretty(phone)}`);
  column.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    input.value = "";
    post("/sandbox/reply", { phone, text });
  });
  phones.set(phone, column);
  nameColumn(column, phone, "");
  document.getElementById("empty")?.remove();
  main.append(column);
  return column;
}

function nameColumn(column, phone, name) {
  column.querySelector(".name").textContent = name || pretty(phone);
  column.querySelector(".number").textContent = name ? pretty(phone) : "";
  column.querySelector(".face").textContent = (name || phone.slice(-2)).trim().slice(0, name ? 1 : 2).toUpperCase();
}

function showContact(contact) {
  const column = columnOf(contact.phone);
  nameColumn(column, contact.phone, contact.name);
  const until = new Date(contact.window_until);
  const isOpen = until > new Date();
  const badge = column.querySelector(".window");
  badge.classList.toggle("open", isOpen);
  badge.textContent = isOpen ? "free text" : "templates only";
  badge.title = isOpen
    ? `This person wrote in the last 24 hours: free text until ${until.toLocaleString()}`
    : "This person has not written in the last 24 hours";
}

function dayMark(chat, at) {
  const day = at.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
  if (chat.dataset.day === day) return;
  chat.dataset.day = day;
  const mark = document.createElement("li");
  mark.className = "day";
  mark.textContent = day;
  chat.append(mark);
}

function newBubble(message, chat) {
  const bubble = copyOf("bubble");
  const isMine = message.direction === "in";
  bubble.classList.toggle("mine", isMine);
  bubble.querySelector(".text").textContent = message.text;
  bubble.querySelector("time").textContent = clock(new Date(message.at));
  bubble.querySelector(".form").textContent = message.template ? "template" : "";
  const link = bubble.querySelector(".document");
  link.hidden = !message.document;
  if (message.document) {
    link.href = message.document.url;
    link.querySelector("span").textContent = message.document.name;
  }
  const row = bubble.querySelector(".buttons");
  message.buttons.forEach((text, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => {
      row.querySelectorAll("button").forEach((each) => { each.disabled = true; });
      post("/sandbox/tap", { id: message.id, button: index });
    });
    row.append(button);
  });
  dayMark(chat, new Date(message.at));
  chat.append(bubble);
  return bubble;
}

function showMessage(message) {
  const chat = columnOf(message.phone).querySelector(".chat");
  const isAtEnd = chat.scrollHeight - chat.scrollTop - chat.clientHeight < 80;
  const isNew = !bubbles.has(message.id);
  if (isNew) bubbles.set(message.id, newBubble(message, chat));
  const bubble = bubbles.get(message.id);
  const tapped = message.direction === "in" && bubbles.get(message.about);
  if (tapped) tapped.querySelectorAll(".buttons button").forEach((each) => { each.disabled = true; });
  const ticks = bubble.querySelector(".ticks");
  bubble.classList.toggle("failed", message.status === "failed");
  ticks.classList.toggle("read", message.status === "read");
  ticks.textContent = message.status === "failed" ? `not delivered: ${message.error}` : TICKS[message.status] || "";
  ticks.title = WORDS[message.status] || "";
  if (isNew && isAtEnd) chat.scrollTop = chat.scrollHeight;
}

function showLink(callback) {
  const link = document.getElementById("link");
  const isBad = Boolean(callback.trouble);
  link.classList.toggle("good", !isBad && callback.is_verified);
  link.classList.toggle("bad", isBad);
  document.getElementById("link-words").textContent = isBad
    ? `Hadir does not answer (${callback.trouble})`
    : callback.is_verified ? "Hadir is listening" : callback.url ? "Waiting for Hadir" : "No webhook";
}

async function refresh() {
  try {
    const answer = await fetch(`/sandbox/messages?since=${version}`);
    const news = await answer.json();
    news.contacts.forEach(showContact);
    news.messages.forEach(showMessage);
    showLink(news.callback);
    version = news.version;
  } catch (error) {
    const link = document.getElementById("link");
    link.classList.remove("good");
    link.classList.add("bad");
    document.getElementById("link-words").textContent = "The sandbox has stopped";
  }
}

async function forever() {
  await refresh();
  setTimeout(forever, EVERY_MS);
}

forever();
