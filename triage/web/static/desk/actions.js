// What a person does to tickets: shown at once, sent until answered, taken back when refused.

import { $, settings, t, toast } from "./dom.js";
import { askPlace } from "./handover.js";
import { endMute, told } from "./mutes.js";
import { act, get, Refusal } from "./net.js";

const UNDO_MS = 10_000;
const TRIES = 10; // tickets of which a colleague may be first

export class Actions {
  constructor(pane, list) {
    this.pane = pane;
    this.list = list; // null on a ticket's own page
    this.last = null; // what can be taken back, and until when
    this.own = {}; // by kind of label: what was set and is under way
    this.busy = new Map(); // by ticket: what is under way
    this.tokens = new Map(); // of claims, also of tickets that are no longer on the screen
    this.under = new Set(); // what is under way, word for word: a key pressed twice means it once
  }

  // -- leases -------------------------------------------------------------------------------------

  async claim(id = this.pane.id) {
    if (!id || this.pane.token !== null && id === this.pane.id) return;
    await this.run(id, "claim", {}, { said: t("claimed"), undo: false });
  }

  async claimNext() {
    const team = settings.team;
    if (!team || !settings.acts) return;
    try {
      const narrowed = this.list?.narrowed;
      const id = narrowed ? await this.claimFirst() : (await act(`/api/v1/queues/${team}/claim`, {})).ticket?.id;
      if (!id) {
        toast(t(narrowed ? "nothing_fits" : "nothing_next"));
        return;
      }
      this.overtake(id);
      this.pane.forget(id);
      await this.list?.read();
      this.list?.point(id);
      if (this.list && this.list.cursor.at >= 0) this.list.reveal(this.list.cursor.at);
      await this.pane.open(id, { focus: true });
      toast(t("claimed"), { ms: 3_000 });
    } catch (error) {
      this.refused(error);
    }
  }

  // Claims the first free ticket that the filter keeps; the next one where a colleague was first.
  async claimFirst() {
    const { asked } = this.list;
    if (asked.has("show") && asked.get("show") !== "vrij") return null;
    const url = new URL(settings.rows, location.origin);
    for (const [name, value] of [...asked, ["show", "vrij"], ["count", TRIES]]) url.searchParams.set(name, value);
    const { rows } = await (await get(url).catch(unreached)).json();
    for (const { id } of rows) {
      try {
        await this.take(id);
        return id;
      } catch (error) {
        if (error.status !== 409) throw error;
      }
    }
    return null;
  }

  async release() {
    if (this.pane.token === null) return;
    await this.run(this.pane.id, "release", { token: this.pane.token }, { said: t("released"), undo: false });
  }

  // -- decisions ----------------------------------------------------------------------------------

  async correct(what, key) {
    const { pane } = this.pane;
    if (!pane || pane.dataset.state !== "open" || pane.dataset[what] === key) return;
    const names = { topic: settings.topics, intent: settings.intents, urgency: settings.urgencies }[what];
    pane.dataset[what] = key;
    for (const chip of pane.querySelectorAll(`.chip[data-${what}]`)) chip.setAttribute("aria-pressed", String(chip.dataset[what] === key));
    this.own[what] = { id: this.pane.id, key };
    const own = this.own[what];
    await this.run(this.pane.id, "correct", { [what]: key, ...this.right() }, { said: t("corrected", { what: names[key] }) });
    if (this.own[what] === own) delete this.own[what]; // the ticket was read again since
  }

  // The labels on the screen, and what this person has just set: the ticket may not show it yet.
  seen() {
    const { id, pane } = this.pane;
    return Object.fromEntries(["topic", "urgency", "intent"].map((what) => [what, this.own[what]?.id === id ? this.own[what].key : pane.dataset[what]]));
  }

  async confirm() {
    if (!this.isOpen()) return;
    await this.run(this.pane.id, "confirm", { ...this.seen(), ...this.right() }, { said: t("confirmed") });
  }

  async reassign(team) {
    if (this.isOpen()) await this.run(this.pane.id, "reassign", { team, ...this.right() }, { said: t("reassigned", { what: settings.teams[team] }), leaves: team !== settings.team });
  }

  async escalate() {
    if (this.isOpen()) await this.run(this.pane.id, "escalate", this.right(), { said: t("escalated") });
  }

  async snooze(seconds, what) {
    if (this.isOpen()) await this.run(this.pane.id, "snooze", { seconds, ...this.right() }, { said: t("snoozed", { what }), leaves: true });
  }

  // What was set aside waits again: whoever gives it back has to have it.
  async wake() {
    const id = this.pane.id;
    const body = {};
    const before = async () => { body.token = await this.take(id); };
    await this.run(id, "release", body, { said: t("woken"), undo: false, before });
  }

  async reopen() {
    if (this.pane.id) await this.run(this.pane.id, "reopen", {}, { said: t("reopened") });
  }

  async note() {
    const field = $("note");
    const note = field.value.trim();
    if (!note) return;
    field.value = "";
    this.pane.keepDraft();
    const done = await this.run(this.pane.id, "note", { note }, { said: t("noted"), undo: false });
    if (!done && $("note")) $("note").value = note;
  }

  async signalen() {
    if (!this.isOpen()) return;
    const { id } = this.pane;
    const place = this.pane.pane.dataset.place || await askPlace(this.pane.pane);
    if (!place || this.pane.id !== id) return;
    await this.run(id, "signalen", { place, ...this.right() }, { said: t("signalen"), leaves: true });
  }

  // Closes a ticket with what was answered; claims it first where nobody has it.
  async resolve() {
    if (!this.isOpen()) return;
    const outcome = $("outcome").value;
    const [reply, link] = [$("reply").value.trim(), $("link").value.trim()];
    if (link && !$("link").reportValidity()) return;
    if (outcome === "beantwoord" && !reply && !link) {
      toast(t("reply_needed"), { error: true });
      $("reply").focus();
      return;
    }
    const id = this.pane.id;
    const body = { outcome, token: this.pane.token, ...(reply && { reply }), ...(link && { link }) };
    const what = settings.outcomes[outcome] ?? outcome;
    const days = outcome === "spam" ? Number($("mute-days")?.value) : 0;
    let muted = null;
    const before = async () => {
      body.token ??= await this.take(id);
      if (days) muted = await act(`/api/v1/tickets/${id}/mute`, { days, reason: "spam" });
    };
    const back = days ? async () => { await act(`/api/v1/tickets/${id}/undo`, {}); await endMute(muted.id, true); } : null;
    const said = t(days ? "resolved_muted" : "resolved", { what });
    const done = await this.run(id, "resolve", body, { said, leaves: true, before, back });
    if (done) this.pane.dropDraft(id);
  }

  // Mutes who wrote the post; the ticket stays as it is.
  async mute(days, reason, words = "") {
    const body = { days, reason, ...(words && { words }) };
    await this.run(this.pane.id, "mute", body, { said: t("muted", { what: t(`mute_${days}`) }), back: (answer) => endMute(answer.id, true) });
  }

  async unmute() {
    const id = this.pane.pane?.dataset.mute;
    if (!settings.acts || !id) return;
    const again = async () => {
      this.pane.forget(this.pane.id);
      await this.pane.again();
      await this.list?.read();
    };
    try {
      told(await endMute(id), again);
    } catch (error) {
      this.refused(error);
    }
    await again();
  }

  async take(id) {
    const found = await act(`/api/v1/tickets/${id}/claim`, {});
    this.tokens.set(id, found.claim.token);
    return found.claim.token;
  }

  // -- taking back --------------------------------------------------------------------------------

  async undo() {
    await this.running; // what is to be taken back may not have been answered yet
    const last = this.last;
    if (!last || Date.now() > last.until) {
      toast(t("nothing_undo"), { ms: 3_000 });
      return;
    }
    this.last = null;
    last.gone();
    try {
      if (last.back) await last.back();
      else if (last.tickets.length === 1) await act(`/api/v1/tickets/${last.tickets[0]}/undo`, {});
      else await inParts(last.tickets, (tickets) => act("/api/v1/tickets/bulk", { action: "undo", tickets }));
      toast(t("undone"), { ms: 4_000 });
    } catch (error) {
      this.refused(error);
    }
    await this.list?.read();
    if (last.tickets.length === 1) await this.show(last.tickets[0]);
  }

  // `back` takes back what the server's own undo does not.
  offer(tickets, said, back = null) {
    this.last?.gone();
    const gone = toast(said, { action: { label: t("undo"), key: "z", run: () => this.undo() }, ms: UNDO_MS });
    this.last = { tickets, back, until: Date.now() + UNDO_MS, gone };
  }

  // The server takes back the last thing only: what comes after it ends the offer for that ticket.
  overtake(id) {
    const last = this.last;
    if (!last?.tickets.includes(id) || last.back) return;
    last.tickets = last.tickets.filter((one) => one !== id);
    if (last.tickets.length) return;
    last.gone();
    this.last = null;
  }

  // -- the common way -----------------------------------------------------------------------------

  // One thing after the other for one ticket; nothing that was asked for is dropped.
  run(id, action, body, options) {
    const asked = JSON.stringify([id, action, body]);
    if (!settings.acts || !id || this.under.has(asked)) return false;
    this.under.add(asked);
    const done = this.does(id, action, body, options, this.busy.get(id)).finally(() => {
      this.under.delete(asked);
      if (this.busy.get(id) === done) this.busy.delete(id);
    });
    this.busy.set(id, done);
    this.running = done;
    return done;
  }

  async does(id, action, body, { said, undo = true, back = null, leaves = false, before = null }, earlier) {
    this.list?.mark(id, true);
    const moved = leaves && this.list && this.pane.id === id ? this.list.follow() : null;
    await earlier;
    if (action !== "claim" && this.tokens.has(id) && !body.token) body.token = this.tokens.get(id);
    let done = false;
    try {
      await before?.();
      const answer = await act(`/api/v1/tickets/${id}/${action}`, ["note", "reopen", "mute"].includes(action) ? without(body) : body);
      done = true;
      this.remember(id, action, answer, leaves);
      if (undo) this.offer([id], said, back && (() => back(answer)));
      else {
        this.overtake(id);
        toast(said, { ms: 4_000 });
      }
    } catch (error) {
      this.tokens.delete(id);
      this.refused(error);
    } finally {
      this.list?.mark(id, false);
    }
    await moved;
    this.pane.forget(id);
    this.list?.refresh();
    if (!done && leaves) await this.back(id);
    else if (this.pane.id === id) await this.pane.again();
    return done;
  }

  remember(id, action, answer, leaves) {
    if (action === "claim") this.tokens.set(id, answer.claim.token);
    else if (action === "mute") return; // it leaves the claim alone
    else if (leaves || action === "release" || !answer.claim) this.tokens.delete(id);
    if (this.tokens.size > 200) this.tokens.delete(this.tokens.keys().next().value);
  }

  // Shows again what could not be done.
  async back(id) {
    await this.list?.read();
    await this.show(id);
  }

  // Shows a ticket as it stands now, also where another was about to be shown.
  async show(id) {
    this.pane.forget(id);
    this.list?.point(id);
    if (this.pane.id !== id) return this.pane.open(id);
    this.pane.stay();
    return this.pane.again();
  }

  refused(error) {
    if (!(error instanceof Refusal)) throw error;
    toast(error.told(), { error: true });
  }

  right() {
    return this.pane.token === null ? {} : { token: this.pane.token };
  }

  isOpen() {
    return settings.acts && this.pane.pane?.dataset.state === "open";
  }
}

function unreached(error) {
  throw error instanceof Refusal ? error : new Refusal(0, { detail: t("offline") });
}

function without({ token: _token, ...rest }) {
  return rest;
}

export const PART = 100;

export async function inParts(tickets, send, told = () => {}) {
  const results = [];
  for (let at = 0; at < tickets.length; at += PART) {
    told(at);
    const answer = await send(tickets.slice(at, at + PART));
    results.push(...answer.results);
  }
  return results;
}
