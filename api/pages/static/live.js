// Keeps a page up to date: when something happens, the page is asked for again and what has
// changed in its live parts is put in place. Everything can be read and used without this.
"use strict";

const PAUSE_MS = 1000;
const PATIENCE_MS = 5000;
const main = document.querySelector("main");
let timer = null;

// Ask for a refresh; many at once are one.
function refresh(wait = PAUSE_MS) {
  if (timer === null) timer = setTimeout(update, wait);
}

async function update() {
  timer = null;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) throw new Error(answer.status);
    show(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    refresh(PATIENCE_MS);
  }
}

function show(fresh) {
  document.querySelectorAll("[data-live]").forEach((part) => {
    const other = fresh.getElementById(part.id);
    if (other) morph(part, other);
  });
  if (main.dataset.every && fresh.querySelector("main").dataset.every) refresh(every());
}

// Make one node like another and leave alone what is the same, so that focus, scrolling, open
// details and chosen boxes stay.
function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  const same = old.nodeName === fresh.nodeName && old.nodeType === Node.ELEMENT_NODE;
  const other = old.id !== fresh.id || (old.nodeName === "INPUT" && old.value !== fresh.value);
  if (!same || other) {
    old.replaceWith(document.importNode(fresh, true));
    return;
  }
  dress(old, fresh);
  const before = [...old.childNodes];
  [...fresh.childNodes].forEach((child, index) => {
    if (index < before.length) morph(before[index], child);
    else old.appendChild(document.importNode(child, true));
  });
  before.slice(fresh.childNodes.length).forEach((child) => child.remove());
}

// The attributes of one element for another; whether details are open is the reader's own.
function dress(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function every() {
  return 1000 * Number(main.dataset.every);
}

function follow(address) {
  const events = new EventSource(address);
  for (const kind of ["state", "trial", "progress"]) {
    events.addEventListener(kind, () => refresh());
  }
  events.addEventListener("end", () => {
    events.close();
    refresh();
  });
}

if (main.dataset.events) follow(main.dataset.events);
if (main.dataset.every) refresh(every());
