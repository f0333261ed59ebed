// One post after the other, to label. The next one is there before it is asked for; what a person
// said is sent meanwhile.

import { $, announce, parsed, settings, t, toast } from "./dom.js";
import * as menus from "./menu.js";
import { act, address, bus, get, Refusal } from "./net.js";

const AHEAD = 4; // posts read ahead
const HEADS = ["topic", "urgency", "intent"];
const NAMES = { topic: settings.topics, urgency: settings.urgencies, intent: settings.intents };
const OVER = new Set(["corrected", "confirmed", "resolved", "claimed", "deleted", "joined", "merged"]);
const CALM_MS = 1_000; // a post that comes unasked is not labelled by a key meant for another
const COUNT = `triage.labelled.${settings.me}`;

class One {
  constructor() {
    this.posts = settings.posts; // of each its ticket and why it was picked
    this.at = 0;
    this.cards = new Map(); // by ticket: its card, asked for or there
    this.sending = new Map(); // by ticket: what was said of it and is under way
    this.last = null; // what can be taken back
    this.drawn = ""; // the ticket on the screen, while what it shows holds
    this.turn = 0; // how often a post was asked for
    this.calm = 0; // until when nothing is labelled
    this.asked = false; // whether a label waits for the look whether the post is still the same
    bus.addEventListener("ticket", ({ detail }) => this.heard(detail));
    bus.addEventListener("resync", () => this.anew());
    $("card").addEventListener("click", (event) => this.clicked(event.target.closest("button")?.dataset ?? {}));
    $("steps").addEventListener("click", (event) => this.stepped(event));
    this.count(0);
    if (this.posts.length) this.shown();
    else this.end();
  }

  get post() { return $("post"); }

  get id() { return this.posts[this.at]?.[0] ?? ""; }

  // Whether the post whose turn it is stands on the screen: keys come faster than posts.
  get ready() { return this.id !== "" && this.drawn === this.id; }

  // -- from one to the next -----------------------------------------------------------------------

  // `unasked`: it comes by itself, to who was reading something else.
  async go(at, { unasked = false } = {}) {
    this.at = Math.max(0, Math.min(at, this.posts.length));
    this.drawn = "";
    this.asked = false;
    if (!this.id) {
      this.end();
      return;
    }
    const nodes = await this.current();
    if (nodes) this.draw(nodes, unasked);
  }

  // The post on the screen may have changed: what was chosen stays, unless it was of something else.
  async check() {
    if (this.post?.dataset.ticket !== this.id) {
      this.go(this.at);
      return;
    }
    this.cards.delete(this.id);
    const nodes = await this.current();
    if (!nodes) return;
    const [before, after] = [this.post, nodes.find((node) => node.id === "post")];
    const { asked } = this;
    this.asked = false;
    this.drawn = this.id;
    if (said(before) === said(after) && text(before) === text(after)) {
      if (asked) this.label();
      return;
    }
    toast(t(text(before) === text(after) ? "changed" : "edited"), { error: true });
    this.draw(nodes, true);
  }

  // Gives the card of the post whose turn it is; null where there is none, or another is asked for
  // meanwhile.
  async current() {
    this.turn += 1;
    const { id, turn } = this;
    try {
      const html = await this.card(id);
      return turn === this.turn ? parsed(html) : null;
    } catch (error) {
      this.cards.delete(id);
      if (error instanceof Refusal) this.drop(id); // a colleague was first
      return null;
    }
  }

  draw(nodes, unasked) {
    $("card").replaceChildren(...nodes);
    this.shown();
    this.post.focus();
    if (unasked) this.calm = Date.now() + CALM_MS;
  }

  shown() {
    this.drawn = this.id;
    $("end").hidden = true;
    $("card").hidden = false;
    this.enable(true);
    const [, why] = this.posts[this.at];
    $("post-title").textContent = `${this.place()} · ${t(`one_${why}`)}`;
    this.mark();
    this.prepare();
  }

  prepare() {
    for (const [id] of this.posts.slice(this.at + 1, this.at + 1 + AHEAD)) this.card(id).catch(() => this.cards.delete(id));
  }

  // What happened meanwhile is not known: what was read ahead may be of before.
  anew() {
    this.cards.clear();
    if (!this.id) return;
    this.prepare();
    this.check();
  }

  place() { return t("one_place", { n: this.at + 1, of: this.posts.length }); }

  card(id) {
    let card = this.cards.get(id);
    if (!card) {
      card = this.read(id);
      this.cards.set(id, card);
      if (this.cards.size > 4 * AHEAD) this.cards.delete(this.cards.keys().next().value);
    }
    return card;
  }

  async read(id) {
    await this.sending.get(id);
    const at = address(settings.card);
    at.pathname += id;
    return (await get(at)).text();
  }

  end() {
    this.turn += 1;
    $("card").hidden = true;
    $("end").hidden = false;
    this.enable(false);
    $("end").focus();
  }

  enable(yes) {
    for (const step of ["label", "skip"]) document.querySelector(`[data-step=${step}]`).disabled = !yes;
  }

  skip() { if (this.ready) this.go(this.at + 1); }

  back() { if (this.at > 0) this.go(this.at - 1); }

  drop(id) {
    const at = this.posts.findIndex(([one]) => one === id);
    if (at < 0) return;
    this.posts.splice(at, 1);
    if (at < this.at) this.at -= 1;
    else if (at === this.at) this.go(at, { unasked: true });
  }

  // -- what a person says -------------------------------------------------------------------------

  stepped(event) {
    const step = event.target.closest("button")?.dataset.step;
    if (step === "label" && event.detail > 1) return; // a double click means one post
    this[step]?.();
  }

  clicked({ menu, topic, urgency, intent }) {
    if (menu) this[menu]();
    else if (topic) this.choose("topic", topic);
    else if (urgency) this.choose("urgency", urgency);
    else if (intent) this.choose("intent", intent);
  }

  topic() { if (this.ready) menus.topics(this.best(), this.chooser("topic")); }

  intent() { if (this.ready) menus.intents(this.chooser("intent")); }

  // A menu's choice is for the post that it was opened on.
  chooser(head) {
    const { id } = this;
    return (key) => { if (id === this.id) this.choose(head, key); };
  }

  best() { return [...this.post.querySelectorAll(".chip[data-topic]:has(kbd)")].map((chip) => chip.dataset.topic); }

  choose(head, key) {
    if (!this.ready || !key) return;
    const chips = () => [...this.post.querySelectorAll(`.chip[data-${head}]`)];
    if (!chips().some((chip) => chip.dataset[head] === key)) {
      const chip = chips().at(-1).cloneNode();
      chip.dataset[head] = key;
      chip.textContent = NAMES[head][key] ?? key;
      chips().at(-1).after(chip);
    }
    for (const chip of chips()) chip.setAttribute("aria-pressed", String(chip.dataset[head] === key));
    this.mark();
    announce(t("one_chosen", { what: NAMES[head][key] ?? key }));
  }

  chosen() {
    return Object.fromEntries(HEADS.map((head) => [head, this.post.querySelector(`.chip[data-${head}][aria-pressed=true]`).dataset[head]]));
  }

  differs() {
    const chosen = this.chosen();
    return HEADS.some((head) => chosen[head] !== this.post.dataset[head]);
  }

  mark() {
    $("same").hidden = this.differs();
    $("other").hidden = !this.differs();
  }

  label() {
    if (Date.now() < this.calm) return;
    this.asked = !this.ready && this.post?.dataset.ticket === this.id;
    if (!this.ready) return;
    const { id } = this;
    const chosen = this.chosen();
    const token = this.post.dataset.token ? { token: Number(this.post.dataset.token) } : {};
    const sent = act(`/api/v1/tickets/${id}/${this.differs() ? "correct" : "confirm"}`, { ...chosen, ...token });
    const done = sent.then(() => true, (error) => this.refused(id, error));
    this.cards.delete(id);
    this.sending.set(id, done);
    this.last = { id, done };
    this.count(1);
    const what = HEADS.map((head) => NAMES[head][chosen[head]] ?? chosen[head]).join(" · ");
    $("last").textContent = t("one_saved", { what });
    this.go(this.at + 1);
  }

  async undo() {
    const { last } = this;
    this.last = null;
    if (!last || !(await last.done)) {
      toast(t("nothing_undo"), { ms: 3_000 });
      return;
    }
    try {
      await act(`/api/v1/tickets/${last.id}/undo`, {});
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      toast(t("failed", { why: error.message }), { error: true });
      return;
    }
    this.count(-1);
    this.sending.delete(last.id);
    this.cards.delete(last.id);
    $("last").textContent = t("undone");
    this.show(last.id);
  }

  show(id) {
    const at = this.posts.findIndex(([one]) => one === id);
    if (at >= 0) this.go(at);
  }

  refused(id, error) {
    if (!(error instanceof Refusal)) throw error;
    this.count(-1);
    toast(error.told(), { error: true, action: { label: t("one_show"), run: () => this.show(id) } });
    return false;
  }

  count(more) {
    const labelled = Math.max(0, Number(sessionStorage.getItem(COUNT) ?? 0) + more);
    sessionStorage.setItem(COUNT, String(labelled));
    $("count").textContent = t("one_count", { n: labelled });
  }

  // -- what others do -----------------------------------------------------------------------------

  heard({ ticket, type, by, bundle }) {
    if (by === settings.me || type === "noted") return;
    const touched = type === "joined" ? [ticket] : [ticket, bundle]; // one more copy says nothing new
    for (const id of touched) this.cards.delete(id);
    if (OVER.has(type)) {
      if (ticket === this.id) toast(t("one_taken"));
      if (this.posts.findIndex(([one]) => one === ticket) >= this.at) this.drop(ticket);
    }
    if (!touched.includes(this.id)) return;
    this.drawn = ""; // nobody labels what may not stand any more
    this.check();
  }
}

// What a card says of its post.
function said(post) { return JSON.stringify(HEADS.map((head) => post.dataset[head])); }

function text(post) { return post.querySelector(".card__text").textContent; }

// Gives what keys do, and what the list of commands names.
export function labelling() {
  const one = new One();
  const own = {
    y: () => one.label(),
    j: () => one.skip(),
    k: () => one.back(),
    z: () => one.undo(),
    t: () => one.topic(),
    i: () => one.intent(),
    ...Object.fromEntries(Object.keys(settings.urgencies).map((key, place) => [String(place + 1), () => one.choose("urgency", key)])),
    ...Object.fromEntries([0, 1, 2].map((place) => [String(place + 5), () => one.ready && one.choose("topic", one.best()[place])])),
  };
  return { own, named: [["cmd_label", "y"], ["cmd_skip", "j"], ["cmd_back", "k"], ["cmd_topic", "t"], ["cmd_intent", "i"], ["cmd_undo", "z"]] };
}
