"use strict";
// The connection to the run, and the keys.

const AGAIN_MS = [500, 1000, 2000, 4000]; // until the connection is tried again
const views = new Map();
let about = null, socket = null, held = false, over = false, tries = 0, lostAt = null;

function state(text, bad = false) {
  byId("link").textContent = text;
  byId("link").classList.toggle("bad", bad);
}

function ask(source) {
  if (held || socket?.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify({ next: source }));
  return true;
}

function connect() {
  over = false;
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string") hear(JSON.parse(data));
    else {
      const head = new DataView(data);
      views.get(head.getUint32(0, true))?.show(new Uint8Array(data, 8));
    }
  });
  socket.addEventListener("close", () => {
    lostAt ??= new Date();
    const since = lostAt.toLocaleTimeString([], { hour12: false });
    state(over ? `The run ended at ${since}; this is its last state.` : `No connection since ${since}; trying again.`, true);
    setTimeout(connect, AGAIN_MS[Math.min(tries++, AGAIN_MS.length - 1)]);
  });
}

function hear(told) {
  if (told.type === "hello") {
    about = told;
    tries = 0;
    lostAt = null;
    views.clear();
    byId("sources").replaceChildren();
    state(`connected, fervid ${about.version}${about.anonymize === "none" ? "" : `, faces hidden (${about.anonymize})`}`);
    document.documentElement.dataset.ready = "yes";
  } else if (told.type === "over") over = true;
  else if (told.type === "history") {
    view(told.id).charts.add(told.points);
    if (!held && view(told.id).visible) view(told.id).charts.draw();
  } else if (told.type === "figures") {
    const there = new Set(told.sources.map((source) => source.id));
    for (const [id, gone] of views) {
      if (there.has(id)) continue;
      gone.section.remove();
      views.delete(id);
    }
    for (const source of told.sources) {
      const shown = view(source.id);
      if (!shown.section.isConnected) byId("sources").append(shown.section);
      if (!held) shown.tell(source);
    }
    const names = told.sources.map((source) => source.label).join(", ");
    document.title = names ? `${names} - fervid live` : "fervid live";
  }
}

function view(id) {
  if (!views.has(id)) views.set(id, new View(id, about, ask));
  return views.get(id);
}

function hold() {
  held = !held;
  byId("hold").setAttribute("aria-pressed", String(held));
  byId("hold").textContent = held ? "Go on" : "Hold";
  if (!held) for (const shown of views.values()) {
    shown.want();
    shown.charts.draw();
  }
}

function help() {
  const open = byId("about").hidden;
  byId("about").hidden = !open;
  byId("help").setAttribute("aria-expanded", String(open));
  if (open) byId("about").scrollIntoView({ block: "nearest" });
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const shown = [...views.values()], onButton = event.target.closest("button, summary");
  if (event.key === " " && !onButton) {
    event.preventDefault();
    hold();
  } else if (event.key === "?") help();
  else if (event.key === "f") shown.find((one) => one.visible)?.full();
  else if (/^[1-9]$/.test(event.key)) {
    shown[Number(event.key) - 1]?.section.scrollIntoView();
    shown[Number(event.key) - 1]?.section.focus({ preventScroll: true });
  }
});
document.addEventListener("visibilitychange", () => views.forEach((shown) => shown.want()));
byId("hold").addEventListener("click", hold);
byId("help").addEventListener("click", help);
connect();
