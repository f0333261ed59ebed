// One thing done to many tickets.

import { $, announce, settings, t, toast } from "./dom.js";
import { chosenText } from "./list.js";
import * as menus from "./menu.js";
import { inParts } from "./actions.js";
import { insertAnswer } from "./answers.js";
import { act, get } from "./net.js";

export class Bulk {
  constructor(list, actions) {
    this.list = list;
    this.actions = actions;
    list.addEventListener("chosen", () => this.draw());
    $("bulk-all").addEventListener("click", () => this.all());
    $("bulk-clear").addEventListener("click", () => { list.chooseNone(); list.box.focus(); });
    $("bulk-answer").addEventListener("click", () => this.answer());
    $("bulk-more").addEventListener("click", () => this.more());
    $("bulk-send").addEventListener("click", () => this.send());
    $("bulk-canned").addEventListener("change", (event) => insertAnswer(event.target, $("bulk-reply")));
  }

  draw() {
    $("bulk").hidden = !this.list.chosen.size;
    $("bulk-count").textContent = this.list.chosen.size;
    if (this.list.chosen.size) announce(chosenText(this.list));
  }

  async all() {
    const url = new URL(settings.ids, location.origin);
    for (const [name, value] of new FormData($("filters"))) if (value) url.searchParams.set(name, value);
    const { ids } = await (await get(url)).json();
    this.list.chooseAll(ids);
  }

  answer() {
    if (!this.list.chosen.size) return;
    $("bulk-sum").textContent = t("bulk_sum", { n: this.list.chosen.size });
    $("bulk-dialog").showModal();
  }

  async send() {
    const [reply, outcome] = [$("bulk-reply").value.trim(), $("bulk-outcome").value];
    if (outcome === "beantwoord" && !reply) {
      toast(t("reply_needed"), { error: true });
      $("bulk-reply").focus();
      return;
    }
    $("bulk-dialog").close();
    const all = await this.run("resolve", { outcome, ...(reply && { reply }) });
    if (all && $("bulk-reply").value.trim() === reply) $("bulk-reply").value = $("bulk-canned").value = "";
  }

  more() {
    menus.menu(t("chosen", { n: this.list.chosen.size }), [
      { label: t("choose_topic"), run: () => menus.topics([], (topic) => this.run("correct", { topic })) },
      { label: t("choose_urgency"), run: () => menus.urgencies((urgency) => this.run("correct", { urgency })) },
      { label: t("choose_intent"), run: () => menus.intents((intent) => this.run("correct", { intent })) },
      { label: t("choose_team"), run: () => menus.teams(settings.team, (team) => this.run("reassign", { team })) },
      { label: t("cmd_confirm"), run: () => this.run("confirm", {}) },
    ]);
  }

  // Does it; says whether it was done to all that were chosen.
  async run(action, body) {
    const tickets = [...this.list.chosen];
    for (const id of tickets) this.list.pending.add(id);
    this.list.chooseNone();
    let results = [];
    try {
      results = await inParts(
        tickets,
        (part) => act("/api/v1/tickets/bulk", { action, tickets: part, ...body }),
        (at) => { if (at) announce(t("bulk_busy", { n: at, m: tickets.length })); },
      );
    } catch (error) {
      this.actions.refused(error);
    } finally {
      for (const id of tickets) this.list.pending.delete(id);
    }
    const done = results.filter((result) => result.done).map((result) => result.ticket);
    const left = tickets.filter((id) => !done.includes(id));
    if (done.length) this.actions.offer(done, left.length ? t("bulk_part", { n: done.length, m: left.length }) : t("bulk_done", { n: done.length }));
    if (left.length) {
      this.list.chooseAll(left);
      if (!done.length) toast(t("bulk_part", { n: 0, m: left.length }), { error: true });
    }
    await this.list.read();
    await this.actions.pane.again();
    return !left.length;
  }
}
