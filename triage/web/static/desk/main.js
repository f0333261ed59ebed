// Puts a page of the desk together.

import { $, settings, t, throttled, toast } from "./dom.js";
import { Actions } from "./actions.js";
import { alarm } from "./alarm.js";
import { insertAnswer } from "./answers.js";
import { Bulk } from "./bulk.js";
import { filters } from "./filters.js";
import { keys } from "./keys.js";
import { List } from "./list.js";
import { clocks, listen } from "./live.js";
import { labelling } from "./one.js";
import * as menus from "./menu.js";
import { mutesPage } from "./mutes.js";
import { bus, resume } from "./net.js";
import { Pane } from "./pane.js";
import { Regroup } from "./regroup.js";
import { words } from "./words.js";

function common() {
  alarm();
  menus.palette();
  clocks();
  for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
  $("language")?.addEventListener("click", (event) => {
    document.cookie = `taal=${event.currentTarget.dataset.language}; path=/; max-age=31536000; samesite=lax`;
    location.reload();
  });
}

function board() {
  const stale = throttled(1_000, () => document.body.dispatchEvent(new Event("stale")));
  for (const name of ["ticket", "resync"]) bus.addEventListener(name, stale);
  setInterval(stale, 30_000);
  keys();
}

function reader(list) {
  const pane = new Pane($("reader"));
  const actions = new Actions(pane, list);
  const regroup = new Regroup(pane, list, actions);
  const box = $("reader");
  words(box, pane);
  box.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { act, menu, urgency, topic, intent } = button.dataset;
    if (act) actions[act]();
    else if (menu) menus[{ reassign: "teams", snooze: "times", topic: "topics", intent: "intents", mute: "mutes" }[menu]](...chosen(menu, pane, actions));
    else if (urgency) actions.correct("urgency", urgency);
    else if (topic) actions.correct("topic", topic);
    else if (intent) actions.correct("intent", intent);
    else if (button.id === "copy") copy();
  });
  box.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.target.id === "reply-form") actions.resolve();
    if (event.target.id === "note-form") actions.note();
  });
  box.addEventListener("change", (event) => {
    if (event.target.id !== "canned") return;
    if (insertAnswer(event.target, $("reply"))) {
      pane.keepDraft();
      $("reply").focus();
    }
  });
  return { pane, actions, regroup };
}

function chosen(menu, pane, actions) {
  const best = [...pane.pane.querySelectorAll(".chip[data-topic] kbd")].map((mark) => mark.parentElement.dataset.topic);
  return {
    reassign: [pane.pane.dataset.team, (team) => actions.reassign(team)],
    mute: [(days, reason, words) => actions.mute(days, reason, words)],
    snooze: [(seconds, what) => actions.snooze(seconds, what)],
    topic: [best, (topic) => actions.correct("topic", topic)],
    intent: [(intent) => actions.correct("intent", intent)],
  }[menu];
}

async function copy() {
  await navigator.clipboard.writeText($("reply").value);
  toast(t("copied"), { ms: 3_000 });
}

function queue() {
  const list = new List($("list"));
  const { pane, actions, regroup } = reader(list);
  const bulk = new Bulk(list, actions);
  filters(list);
  keys({ list, pane, actions, bulk, regroup });
  const open = async (id) => {
    const hash = `#${id}`;
    if (location.hash !== hash) history[matchMedia("(max-width: 56rem)").matches ? "pushState" : "replaceState"]({ ticket: id }, "", hash);
    await pane.open(id);
    pane.prepare(list.neighbours());
  };
  list.addEventListener("open", ({ detail }) => open(detail));
  pane.addEventListener("shown", ({ detail }) => list.point(detail));
  $("to-list").addEventListener("click", () => {
    history.replaceState(null, "", location.pathname + location.search);
    pane.close();
    list.box.focus();
  });
  $("claim-next").addEventListener("click", () => actions.claimNext());
  addEventListener("popstate", () => {
    if (location.hash) pane.open(location.hash.slice(1));
    else pane.close();
  });
  if (location.hash) open(location.hash.slice(1));
  list.read();
  globalThis.desk = { list, pane, actions }; // for who looks with the browser's own tools
}

common();
if (settings.page === "board") board();
else if (settings.page === "queue") queue();
else if (settings.page === "ticket") keys(reader(null));
else if (settings.page === "labelling") keys(labelling());
else keys();
if (settings.page === "mutes") mutesPage();
listen();
resume(() => bus.dispatchEvent(new Event("resync")));
