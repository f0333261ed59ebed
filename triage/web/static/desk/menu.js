// The command palette, which is also the menu for a topic, an intent, a team or a time.

import { $, el, now, settings, t } from "./dom.js";

let items = [];
let shown = [];
let at = 0;
let before = null;

export function palette() {
  $("palette-search").addEventListener("input", filter);
  $("palette").addEventListener("keydown", keyed);
  $("palette-list").addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) run(Number(option.dataset.at));
  });
  $("palette").addEventListener("close", leave);
  $("palette").addEventListener("click", (event) => { if (event.target === $("palette")) $("palette").close(); });
}

// Each item: label, key (shown; a single letter also chooses it in `quick` menus), run.
export function menu(title, entries, { quick = false } = {}) {
  before = document.activeElement;
  items = entries;
  const search = $("palette-search");
  search.value = "";
  search.placeholder = title;
  search.setAttribute("aria-label", title);
  $("palette").dataset.quick = quick ? "1" : "";
  filter();
  $("palette").showModal();
  search.focus();
}

function filter() {
  const words = $("palette-search").value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  shown = items.filter((item) => words.every((word) => item.label.toLocaleLowerCase().includes(word)));
  at = 0;
  draw();
}

function draw() {
  const list = $("palette-list");
  list.replaceChildren(...shown.map((item, index) => el(
    "li",
    { role: "option", id: `palette-${index}`, "data-at": index, "aria-selected": String(index === at), class: index === at ? "at" : "" },
    el("span", {}, item.label),
    item.key ? el("kbd", {}, item.key) : "",
  )));
  if (shown.length) $("palette-search").setAttribute("aria-activedescendant", `palette-${at}`);
  else $("palette-search").removeAttribute("aria-activedescendant");
  list.children[at]?.scrollIntoView({ block: "nearest" });
}

function keyed(event) {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    at = (at + (event.key === "ArrowDown" ? 1 : shown.length - 1)) % Math.max(1, shown.length);
    draw();
  } else if (event.key === "Enter") {
    event.preventDefault();
    run(at);
  } else if ($("palette").dataset.quick && event.key.length === 1 && !$("palette-search").value) {
    const item = items.findIndex((one) => one.key === event.key);
    if (item >= 0) {
      event.preventDefault();
      shown = items;
      run(item);
    }
  }
}

function run(index) {
  const item = shown[index];
  if (!item) return;
  $("palette").close();
  leave(); // at once: the next key may come before the event
  item.run();
}

// The focus goes back to where it was; where that is gone, to what is read, so that keys are heard.
function leave() {
  const now = document.activeElement;
  if (now !== document.body && !$("palette").contains(now)) return;
  const home = before?.isConnected ? before : ["post", "reader", "inhoud"].map($).find((one) => one?.checkVisibility());
  home?.focus();
}

// -- menus of labels ------------------------------------------------------------------------------

export function topics(best, choose) {
  const order = [...best, ...Object.keys(settings.topics).filter((key) => !best.includes(key))];
  menu(t("choose_topic"), order.map((key, place) => ({ label: settings.topics[key] ?? key, key: place < best.length ? String(place + 5) : "", run: () => choose(key) })));
}

export function intents(choose) {
  const keys = new Set();
  menu(t("choose_intent"), Object.entries(settings.intents).map(([key, label]) => {
    const letter = [...key].find((one) => !keys.has(one)) ?? "";
    keys.add(letter);
    return { label, key: letter, run: () => choose(key) };
  }), { quick: true });
}

export function urgencies(choose) {
  menu(t("choose_urgency"), Object.entries(settings.urgencies).map(([key, label], place) => ({ label, key: String(place + 1), run: () => choose(key) })), { quick: true });
}

export function teams(own, choose) {
  menu(t("choose_team"), Object.entries(settings.teams).filter(([key]) => key !== own).map(([key, label]) => ({ label, run: () => choose(key) })));
}

export function mutes(choose) {
  const why = (days) => menu(t("choose_reason"), [
    { label: t("mute_spam"), key: "1", run: () => choose(days, "spam") },
    { label: t("mute_other"), key: "2", run: () => { const words = prompt(t("mute_why"))?.trim(); if (words) choose(days, "anders", words); } },
  ], { quick: true });
  menu(t("choose_mute"), [1, 7, 30].map((days, place) => ({ label: t(`mute_${days}`), key: String(place + 1), run: () => why(days) })), { quick: true });
}

export function times(choose) {
  const hour = 3600;
  const options = [
    [t("minutes", { n: 15 }), 15 * 60],
    [t("hour"), hour],
    [t("hours", { n: 4 }), 4 * hour],
    [t("tomorrow"), Math.ceil((morningAfter(now(), settings.zone) - now()) / 1000)],
  ];
  menu(t("choose_snooze"), options.map(([label, seconds], place) => ({ label, key: String(place + 1), run: () => choose(seconds, label) })), { quick: true });
}

// Nine in the morning after a time, on the clocks of a zone, whatever those here say.
export function morningAfter(at, zone) {
  const written = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
  const there = (time) => Date.parse(`${written.format(time).replace(" ", "T")}Z`);
  const nine = new Date(there(at));
  nine.setUTCDate(nine.getUTCDate() + 1);
  nine.setUTCHours(9, 0, 0, 0);
  const near = at + (nine - there(at));
  return near + (nine - there(near)); // the clocks may have changed in the night
}
