// A new critical message: said politely, shown in the title, and heard where that is switched on.

import { $, announce, settings, store, t, toast } from "./dom.js";
import { bus } from "./net.js";

const GATHER_MS = 1_500;
const COMES = new Set(["created", "edited", "escalated", "corrected", "raised", "replied", "reopened", "reassigned"]);
const title = document.title;
const seen = new Set(); // critical, and known here
let fresh = 0;
let unseen = 0;
let timer = null;
let audio = null;

export function alarm() {
  const button = $("alarm");
  button.setAttribute("aria-pressed", String(Boolean(store("alarm"))));
  button.addEventListener("click", toggle);
  bus.addEventListener("ticket", ({ detail }) => hear(detail));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    unseen = 0;
    document.title = title;
  });
}

export function toggle() {
  const on = !store("alarm");
  store("alarm", on ? true : null);
  $("alarm").setAttribute("aria-pressed", String(on));
  toast(t(on ? "alarm_on" : "alarm_off"), { ms: 3_000 });
  if (on) beep();
}

function hear(event) {
  const here = !settings.team || event.team === settings.team;
  if (event.urgency !== "kritiek" || event.state !== "open" || !here) {
    seen.delete(event.ticket); // it may come back
    return;
  }
  if (!COMES.has(event.type) || seen.has(event.ticket)) return;
  if (seen.size > 5_000) seen.clear();
  seen.add(event.ticket);
  if (event.by === settings.me || (event.type === "reassigned" && !settings.team)) return; // no news here
  fresh += 1;
  timer ??= setTimeout(tell, GATHER_MS);
}

function tell() {
  timer = null;
  const text = fresh === 1 ? t("critical") : t("critical_many", { n: fresh });
  announce(text);
  if (document.hidden) {
    unseen += fresh;
    document.title = `(${unseen}!) ${title}`;
  }
  fresh = 0;
  if (store("alarm")) beep();
}

function beep() {
  try {
    audio ??= new AudioContext();
    for (const start of [0, 0.25]) {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = 880;
      volume.gain.value = 0.1;
      tone.connect(volume).connect(audio.destination);
      tone.start(audio.currentTime + start);
      tone.stop(audio.currentTime + start + 0.15);
    }
  } catch {
    // No sound here; the title and the live region say it too.
  }
}
