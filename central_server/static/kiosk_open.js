// The page of a kiosk's link: takes the secret out of the address, and spends it once somebody says so.
"use strict";

const WORDS = JSON.parse(document.body.dataset.words);
let language = document.body.dataset.language;
let problem = "";
let secret = location.hash.slice(1);
history.replaceState(null, "", location.pathname); // so that it is in no history

const find = (id) => document.getElementById(id);

function show() {
  const words = WORDS[language];
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = words[element.dataset.word];
  document.querySelector("[data-switch]").textContent = language === "id" ? "English" : "Bahasa Indonesia";
  find("problem").textContent = problem ? words[problem] : "";
  find("ask").hidden = !secret;
  find("none").hidden = Boolean(secret);
}

async function use() {
  find("use").disabled = true;
  problem = "link_lost";
  try {
    const reply = await fetch("/kiosk/open", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Requested-With": "hadir" },
      body: JSON.stringify({ secret }),
      signal: AbortSignal.timeout(10000),
    });
    if (reply.ok) {
      secret = "";
      return location.replace("/kiosk/");
    }
    if (reply.status === 403) problem = "link_gone";
  } catch {
    // Nobody answered: said below.
  }
  find("use").disabled = false;
  show();
}

find("use").addEventListener("click", use);
document.querySelector("[data-switch]").addEventListener("click", () => {
  language = language === "id" ? "en" : "id";
  show();
});
show();
