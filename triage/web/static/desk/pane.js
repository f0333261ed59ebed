// The reader: one ticket, kept up to date while it is open, with what is being written kept too.

import { $, now, parsed, phone, settings, t, throttled, toast } from "./dom.js";
import { tick } from "./live.js";
import { act, address, bus, get, Refusal } from "./net.js";
import { released } from "./press.js";

const KEPT = 8; // panes read ahead
const DRAFTS = `triage.drafts.${settings.me}`;
const FIELDS = ["reply", "link", "outcome", "mute-days", "note"];

export class Pane extends EventTarget {
  constructor(box) {
    super();
    this.box = box;
    this.ahead = new Map();
    this.grown = throttled(1_000, () => this.again(true)); // a storm may be joining
    this.wanted = "";
    this.asked = 0; // how often a ticket was asked for
    this.drawn = 0; // which of those is shown
    this.html = "";
    if (this.pane) this.ready();
    this.stay();
    bus.addEventListener("ticket", ({ detail }) => this.heard(detail));
    bus.addEventListener("resync", () => { this.ahead.clear(); this.again(true); });
    box.addEventListener("input", () => this.keepDraft());
    box.addEventListener("toggle", (event) => load(event.target), true);
    setInterval(() => this.renew(), 5_000);
  }

  get pane() { return $("pane"); }

  get id() { return this.pane?.dataset.ticket ?? ""; }

  get token() {
    const token = this.pane?.dataset.token;
    return token ? Number(token) : null;
  }

  // Shows a ticket; of two asked for shortly after each other, the last.
  async open(id, { focus = false } = {}) {
    this.wanted = id;
    if (this.id !== id) {
      this.opening = this.show(id, this.ahead.get(id) ?? this.fetch(id));
      await this.opening;
    }
    if (phone()) document.body.classList.add("reading");
    if (focus || phone()) this.box.focus({ preventScroll: false });
  }

  // Returns when the ticket that was asked for last is there: keys come faster than tickets.
  settled() { return this.opening; }

  // What comes `auto`, by itself, waits for who is pressing something, and is not shown for nothing.
  async show(id, coming, auto = false) {
    this.asked += 1;
    const turn = this.asked;
    let html;
    try {
      html = await coming;
      if (auto) await released();
    } catch (error) {
      if (this.wanted !== id || turn < this.drawn) return;
      this.stay();
      if (error instanceof Refusal) toast(t("gone"), { error: true });
      return;
    }
    if (this.wanted !== id || turn < this.drawn) return; // or a younger answer was faster
    this.drawn = turn;
    if (auto && this.id === id && html === this.html) return;
    this.swap(html);
  }

  swap(html) {
    const same = this.id && html.includes(`data-ticket="${this.id}"`);
    const held = same ? this.hold() : null;
    const before = { ...this.pane?.dataset };
    this.html = html;
    this.box.replaceChildren(...parsed(html));
    if (!same) this.box.scrollTop = 0;
    this.ready();
    if (held) this.restore(held);
    if (same) this.tell(before, this.pane.dataset);
    this.dispatchEvent(new CustomEvent("shown", { detail: this.id }));
  }

  // Whatever brought the new text: who was reading the old one has to know.
  tell(before, after) {
    if (after.withdrawn && !before.withdrawn) toast(t("deleted"), { error: true });
    else if (after.edited !== before.edited) toast(t("edited"), { error: true });
    else if (Number(after.beside) > Number(before.beside)) toast(t("beside"), { error: true });
    else if (Number(after.replies) > Number(before.replies)) toast(t("replied"));
  }

  ready() {
    const draft = drafts()[this.id];
    if (draft) for (const name of FIELDS) if ($(name) && draft[name]) $(name).value = draft[name];
    tick(this.box);
  }

  // What must not get lost when the same ticket is shown anew: focus, what was opened, the place.
  hold() {
    const active = document.activeElement;
    return {
      focus: this.box.contains(active) ? path(active) : "",
      range: [active?.selectionStart, active?.selectionEnd],
      values: FIELDS.map((name) => $(name)?.value),
      parts: new Map(this.parts().map((part) => [part.id, part])),
      top: this.box.scrollTop,
    };
  }

  restore(held) {
    FIELDS.forEach((name, index) => { if ($(name) && held.values[index] !== undefined) $(name).value = held.values[index]; });
    for (const part of this.parts()) {
      const before = held.parts.get(part.id);
      if (!before) continue;
      part.open = before.open;
      if (before.dataset.done) loaded(part).replaceChildren(...loaded(before).childNodes); // until it is read anew
    }
    this.box.scrollTop = held.top;
    if (!held.focus) return;
    const active = this.box.querySelector(held.focus) ?? this.box;
    active.focus({ preventScroll: true });
    if (typeof held.range[0] === "number" && active.setSelectionRange && active.type !== "url") active.setSelectionRange(...held.range);
  }

  parts() { return [...this.box.querySelectorAll("details[id]")]; }

  async fetch(id, auto = false) {
    return (await get(address(`/tickets/${id}/pane`), { auto })).text();
  }

  // Reads tickets that will likely be asked for next.
  prepare(ids) {
    for (const id of ids) {
      if (this.ahead.has(id) || id === this.id) continue;
      const coming = this.fetch(id);
      coming.catch(() => this.ahead.delete(id));
      this.ahead.set(id, coming);
    }
    while (this.ahead.size > KEPT) this.ahead.delete(this.ahead.keys().next().value);
  }

  forget(id) { this.ahead.delete(id); }

  // Whatever was asked for and is not there yet, what is shown stays.
  stay() { this.wanted = this.id; }

  // Shows the ticket anew, unless it is about to make room for another.
  async again(auto = false) {
    if (!this.id || this.wanted !== this.id) return;
    this.forget(this.id);
    await this.show(this.id, this.fetch(this.id, auto), auto);
  }

  heard(event) {
    this.forget(event.ticket);
    if (event.bundle) this.forget(event.bundle);
    if (event.bundle === this.id && event.ticket !== this.id) this.grown();
    if (event.ticket !== this.id || event.version <= Number(this.pane.dataset.version)) return;
    this.again(true);
  }

  async renew() {
    const until = new Date(this.pane?.dataset.until ?? 0).getTime();
    if (this.token === null || until - now() > (settings.lease * 1000) / 2) return;
    const pane = this.pane;
    const body = { token: this.token };
    if (until < now() || this.renewing) return;
    this.renewing = true;
    try {
      const kept = await act(`/api/v1/tickets/${pane.dataset.ticket}/renew`, body);
      pane.dataset.until = kept.until;
      const clock = pane.querySelector("time[data-until]");
      if (clock) clock.dateTime = kept.until;
    } catch {
      toast(t("lease_lost"), { error: true });
      await this.again();
    } finally {
      this.renewing = false;
    }
  }

  keepDraft() {
    const all = drafts();
    const values = Object.fromEntries(FIELDS.filter((name) => $(name)?.value && name !== "outcome").map((name) => [name, $(name).value]));
    if (Object.keys(values).length) all[this.id] = { ...values, outcome: $("outcome")?.value ?? "" };
    else delete all[this.id];
    save(all);
  }

  dropDraft(id) {
    const all = drafts();
    delete all[id];
    save(all);
  }

  close() {
    document.body.classList.remove("reading");
  }
}

function drafts() {
  try {
    return JSON.parse(sessionStorage.getItem(DRAFTS) ?? "{}");
  } catch {
    return {};
  }
}

function save(all) {
  const names = Object.keys(all);
  for (const name of names.slice(0, Math.max(0, names.length - 20))) delete all[name];
  try {
    sessionStorage.setItem(DRAFTS, JSON.stringify(all));
  } catch {
    // A draft that is not kept is still on the screen.
  }
}

// A name for an element that the next rendering has too; where there is none, its surroundings.
function path(active) {
  if (active.id) return `#${CSS.escape(active.id)}`;
  if (active.name === "member") return `input[name=member][value="${CSS.escape(active.value)}"]`;
  for (const name of ["act", "menu", "urgency", "topic", "intent", "words"]) {
    if (active.dataset?.[name]) return `[data-${name}="${CSS.escape(active.dataset[name])}"]`;
  }
  const part = active.closest("details[id]");
  return part ? `#${CSS.escape(part.id)} > summary` : "#reader";
}

function loaded(part) { return part.querySelector(".loaded"); }

async function load(part) {
  if (!part.open || !part.dataset?.load || part.dataset.done) return;
  part.dataset.done = "1";
  try {
    const nodes = parsed(await (await get(part.dataset.load)).text());
    const active = document.activeElement;
    const focus = loaded(part).contains(active) ? path(active) : "";
    loaded(part).replaceChildren(...nodes);
    part.dispatchEvent(new Event("loaded", { bubbles: true }));
    if (focus) (part.querySelector(focus) ?? part.firstElementChild).focus({ preventScroll: true });
  } catch {
    delete part.dataset.done;
  }
}
