// Taking messages out of a ticket, and putting tickets together; each takes the other back.

import { $, settings, t, toast } from "./dom.js";
import { act, get } from "./net.js";

const LIMIT = 500; // tickets that one request names
const KNOWN = 20; // tickets whose insides are read, so that a merge can be taken back

export class Regroup {
  constructor(pane, list, actions) {
    this.pane = pane;
    this.list = list; // null on a ticket's own page
    this.actions = actions;
    this.of = "";
    this.order = []; // what is asked to be put together, its lead first
    this.picked = new Set();
    pane.addEventListener("shown", () => this.shown());
    pane.box.addEventListener("loaded", () => this.tick());
    pane.box.addEventListener("change", ({ target }) => {
      if (target.name !== "member") return;
      if (target.checked) this.picked.add(target.value);
      else this.picked.delete(target.value);
    });
    pane.box.addEventListener("click", ({ target }) => { if (target.closest("#take-out")) this.split(); });
    if (!list) return;
    list.addEventListener("chosen", () => { $("bulk-merge").disabled = list.chosen.size < 2; });
    $("bulk-merge").addEventListener("click", () => this.ask());
    $("merge-send").addEventListener("click", () => { $("merge-dialog").close(); this.merge(); });
  }

  // A ticket that is shown anew keeps what was chosen in it.
  shown() {
    if (this.pane.id !== this.of) this.picked.clear();
    this.of = this.pane.id;
    this.tick();
  }

  tick() {
    for (const box of this.boxes()) box.checked = this.picked.has(box.value);
  }

  boxes() { return [...this.pane.box.querySelectorAll("input[name=member]")]; }

  // -- out ----------------------------------------------------------------------------------------

  async split() {
    if (!this.actions.isOpen()) return;
    const tickets = this.boxes().filter((box) => box.checked).map((box) => box.value);
    if (!tickets.length) {
      this.lead();
      return;
    }
    const { id } = this.pane;
    const back = () => act(`/api/v1/tickets/${id}/merge`, { tickets: tickets.slice(0, 1), ...this.right(id) });
    const done = await this.actions.run(id, "split", { tickets, ...this.right(id) }, { said: t("split", { n: tickets.length }), back });
    if (done) for (const ticket of tickets) this.picked.delete(ticket);
  }

  // Nothing is chosen yet: go where that is done.
  lead() {
    const part = $("thread") ?? $("copies");
    if (!part) {
      toast(t("split_none"), { ms: 4_000 });
      return;
    }
    toast(t("split_first"), { ms: 4_000 });
    part.open = true;
    (part.querySelector("input[name=member]") ?? part.querySelector("summary")).focus();
  }

  // -- together -----------------------------------------------------------------------------------

  // The ticket that is read leads, else the first in the queue.
  ordered() {
    const chosen = [...this.list.chosen];
    const at = (id) => { const place = this.list.place(id); return id === this.pane.id ? -1 : place < 0 ? Infinity : place; };
    return chosen.sort((a, b) => at(a) - at(b));
  }

  ask() {
    const chosen = this.list.chosen.size;
    if (!settings.acts || chosen < 2 || chosen > LIMIT) {
      toast(chosen > LIMIT ? t("merge_many", { n: LIMIT }) : t("merge_first"), { ms: 4_000 });
      return;
    }
    this.order = this.ordered(); // the queue may move while it is asked
    const [lead] = this.order;
    $("merge-sum").textContent = t("merge_sum", { n: chosen });
    $("merge-lead").textContent = document.querySelector(`#row-${CSS.escape(lead)} .line__text`)?.textContent ?? lead;
    $("merge-dialog").showModal();
  }

  async merge() {
    const [lead, ...tickets] = this.order;
    const groups = await this.inside(tickets);
    const back = groups && (async () => {
      for (const group of groups) await act(`/api/v1/tickets/${lead}/split`, { tickets: group, ...this.right(lead) });
    });
    const said = t("merged", { n: tickets.length + 1 });
    const done = await this.actions.run(lead, "merge", { tickets, ...this.right(lead) }, { said, undo: back !== null, back });
    if (!done) return;
    this.list.chooseNone();
    await this.pane.open(lead);
  }

  // What each ticket holds, to be taken out together again; null where that is too much.
  async inside(tickets) {
    if (tickets.length > KNOWN) return null;
    const groups = [];
    try {
      for (const id of tickets) {
        const members = await (await get(`/api/v1/tickets/${id}/members?limit=${LIMIT}`)).json();
        if (members.length >= LIMIT) return null;
        groups.push([id, ...members.map((member) => member.id)]);
      }
    } catch {
      return null; // merging tells what is wrong
    }
    return groups;
  }

  right(id) {
    const token = this.pane.id === id ? this.pane.token : this.actions.tokens.get(id);
    return token ? { token } : {};
  }
}
