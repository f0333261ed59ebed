// What happens elsewhere: the stream of events, the banner of a lost connection, running clocks.

import { $, now, settings, t, toast } from "./dom.js";
import { address, bus, reached, waiting } from "./net.js";

const PATIENCE_MS = 1_500; // a short break is no news
let source = null;
let broken = null;

export function listen() {
  source = new EventSource(settings.events);
  source.addEventListener("open", () => {
    clearTimeout(broken);
    broken = null;
    reached(true);
  });
  // Between this page and the stream something may have happened, which nothing will tell of.
  source.addEventListener("open", () => bus.dispatchEvent(new Event("resync")), { once: true });
  source.addEventListener("ticket", (event) => {
    bus.dispatchEvent(new CustomEvent("ticket", { detail: JSON.parse(event.data) }));
  });
  source.addEventListener("resync", () => bus.dispatchEvent(new Event("resync")));
  source.addEventListener("error", () => {
    broken ??= setTimeout(() => reached(false), PATIENCE_MS);
    if (source.readyState === EventSource.CLOSED) setTimeout(again, 3_000);
  });
}

// The browser gave up: begin anew.
function again() {
  if (source.readyState === EventSource.CLOSED) listen();
}

addEventListener("offline", () => reached(false));
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => { if (event.persisted) again(); });

bus.addEventListener("offline", () => { $("offline").hidden = false; count(); });
bus.addEventListener("online", () => {
  $("offline").hidden = true;
  toast(t("back_online"), { ms: 4_000 });
  bus.dispatchEvent(new Event("resync"));
});
bus.addEventListener("pending", count);

// -- who is named in a note -----------------------------------------------------------------------

const MENTION_MS = 20_000;
const words = settings.me.toLocaleLowerCase().split(/\s+/);
const names = new Set([words.join(""), words.join("."), words.join("-"), words.join("_"), words[0]]);

bus.addEventListener("ticket", ({ detail }) => {
  if (detail.by === settings.me || !detail.mentions?.some((one) => names.has(one.toLocaleLowerCase()))) return;
  const open = () => { location.href = address(`/tickets/${encodeURIComponent(detail.ticket)}`).href; };
  toast(t("mentioned", { who: detail.by }), { ms: MENTION_MS, action: { label: t("one_show"), run: open } });
});

function count() {
  $("waiting").textContent = waiting() ? t("waiting", { n: waiting() }) : "";
}

// -- clocks ---------------------------------------------------------------------------------------

export function clocks() {
  setInterval(() => tick(document), 1_000);
}

export function tick(root) {
  const at = now();
  for (const place of root.querySelectorAll("time[data-due]")) {
    const left = new Date(place.dateTime).getTime() - at;
    write(place, left < 0 ? t("late", { span: span(-left) }) : t("left", { span: span(left) }));
    place.classList.toggle("late", left < 0);
  }
  for (const place of root.querySelectorAll("time[data-until]")) {
    const left = Math.floor((new Date(place.dateTime).getTime() - at) / 1000);
    write(place, left < 0 ? t("over") : `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`);
    place.classList.toggle("late", left < 30);
  }
}

function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function span(ms) {
  const minutes = Math.floor(ms / 60_000);
  const [days, hours, left] = [Math.floor(minutes / 1440), Math.floor((minutes % 1440) / 60), minutes % 60];
  if (days) return hours ? `${days} ${t("d")} ${hours} ${t("h")}` : `${days} ${t("d")}`;
  if (hours) return left ? `${hours} ${t("h")} ${left} ${t("min")}` : `${hours} ${t("h")}`;
  return left ? `${left} ${t("min")}` : t("short");
}
