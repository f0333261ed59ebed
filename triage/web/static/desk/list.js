// The list of a queue: only what is on the screen is in the page, whatever the queue's length.

import { $, el, parsed, phone, settings, t, throttled } from "./dom.js";
import { tick } from "./live.js";
import { bus, get } from "./net.js";

const SPARE = 8; // lines rendered beyond what is visible
const AHEAD = 40; // lines read beyond what is visible
const KEPT = 600; // lines kept in memory
const CALM_MS = 400; // between two readings for what changed elsewhere

export class List extends EventTarget {
  constructor(box) {
    super();
    this.box = box;
    this.total = settings.total;
    this.rows = new Map(); // by place
    this.shown = new Map(); // elements by place
    this.chosen = new Set();
    this.pending = new Set();
    this.cursor = { id: "", at: -1 };
    this.from = -1; // where a range of choices began
    this.reading = null;
    this.space = el("div", { class: "list__space", role: "presentation" });
    this.adopt();
    this.refresh = throttled(CALM_MS, () => this.read({ auto: true }));
    box.addEventListener("scroll", () => requestAnimationFrame(() => this.scrolled()), { passive: true });
    box.addEventListener("click", (event) => this.clicked(event));
    new ResizeObserver(() => this.render()).observe(box);
    for (const name of ["ticket", "resync"]) bus.addEventListener(name, (event) => this.heard(event));
    setInterval(this.refresh, 30_000);
    this.render();
  }

  // The first lines came with the page.
  adopt() {
    const lines = [...this.box.querySelectorAll(".line")];
    lines.forEach((line, at) => {
      this.rows.set(at, { id: line.dataset.id, version: Number(line.dataset.version), urgency: line.classList[1], html: line.innerHTML });
    });
    this.box.replaceChildren(this.space);
    this.measure();
  }

  measure() {
    const probe = el("div", { class: "line", "aria-hidden": "true" });
    this.space.append(probe);
    this.height = probe.getBoundingClientRect().height || 100;
    probe.remove();
  }

  get first() { return Math.max(0, Math.floor(this.box.scrollTop / this.height)); }

  get last() { return Math.min(this.total - 1, Math.ceil((this.box.scrollTop + this.box.clientHeight) / this.height)); }

  heard(event) {
    const said = event.detail;
    if (!said || said.team === settings.team || said.before?.team === settings.team || this.place(said.ticket) >= 0) this.refresh();
  }

  place(id) {
    for (const [at, row] of this.rows) if (row.id === id) return at;
    return -1;
  }

  scrolled() {
    this.render();
    for (let at = this.first; at <= this.last; at += 1) {
      if (!this.rows.has(at)) {
        this.read();
        return;
      }
    }
  }

  get asked() {
    const asked = new URLSearchParams(new FormData($("filters")));
    for (const [name, value] of [...asked]) if (!value) asked.delete(name);
    return asked;
  }

  // Whether a filter keeps some of the queue out.
  get narrowed() { return [...this.asked.keys()].some((name) => name !== "org"); }

  query(from, count) {
    const { asked } = this;
    asked.set("from", from);
    asked.set("count", count);
    const anchor = this.cursor.id || this.rows.get(this.first)?.id;
    if (anchor) asked.set("anchor", anchor);
    return asked;
  }

  // Reads what is on the screen and around it; one reading at a time. Who asks meanwhile waits for
  // one more, which sees what has changed: the filters, or where the list stands.
  read({ auto = false } = {}) {
    this.more = true;
    this.reading ??= this.readings(auto);
    return this.reading;
  }

  async readings(auto) {
    try {
      for (let first = true; this.more; first = false) {
        this.more = false;
        await this.readOnce(auto && first);
      }
    } finally {
      this.reading = null; // in the same breath as the last look at `more`
    }
  }

  async readOnce(auto) {
    const from = Math.max(0, this.first - AHEAD);
    const count = Math.min(200, this.last - from + 1 + AHEAD);
    const asked = this.query(from, Math.max(count, AHEAD));
    const anchor = asked.get("anchor");
    const stood = anchor ? this.place(anchor) : -1;
    try {
      const url = new URL(settings.rows, location.origin);
      for (const [name, value] of asked) url.searchParams.set(name, value);
      const found = await (await get(url, { auto })).json();
      this.take(found, from, stood);
    } catch {
      // The next event or the next half minute tries again.
    }
  }

  take(found, from, stood) {
    this.total = found.total;
    this.rows.clear(); // what is elsewhere may have moved
    found.rows.forEach((row, index) => this.rows.set(from + index, row));
    if (this.cursor.id) {
      const moved = found.at >= 0 ? found.at - this.cursor.at : 0;
      this.cursor.at = found.at >= 0 ? found.at : Math.min(this.cursor.at, this.total - 1);
      if (moved && this.box.scrollTop > 0) this.box.scrollTop += moved * this.height;
    } else if (found.at >= 0 && stood >= 0 && this.box.scrollTop > 0) {
      this.box.scrollTop += (found.at - stood) * this.height;
    }
    const ids = new Set(found.rows.map((row) => row.id));
    for (const id of this.pending) if (!ids.has(id)) this.pending.delete(id);
    $("total").textContent = this.total.toLocaleString(settings.language);
    $("nothing").hidden = this.total > 0 || this.narrowed;
    $("nothing-fits").hidden = this.total > 0 || !this.narrowed;
    this.render();
    this.dispatchEvent(new Event("read"));
  }

  render() {
    this.space.style.height = `${this.total * this.height}px`;
    const [top, bottom] = [Math.max(0, this.first - SPARE), Math.min(this.total - 1, this.last + SPARE)];
    const wanted = new Set();
    for (let at = top; at <= bottom; at += 1) wanted.add(at);
    if (this.cursor.at >= 0 && this.cursor.at < this.total) wanted.add(this.cursor.at);
    for (const [at, line] of this.shown) {
      if (!wanted.has(at)) {
        line.remove();
        this.shown.delete(at);
      }
    }
    for (const at of wanted) this.line(at);
    const current = this.shown.get(this.cursor.at);
    if (current?.id && this.cursor.id) this.box.setAttribute("aria-activedescendant", current.id);
    else this.box.removeAttribute("aria-activedescendant");
  }

  line(at) {
    const row = this.rows.get(at);
    let line = this.shown.get(at);
    if (!line) {
      line = el("div", { class: "line", role: "option" });
      line.style.transform = `translateY(${at * this.height}px)`;
      this.shown.set(at, line);
      this.space.append(line);
    }
    const current = row !== undefined && row.id === this.cursor.id;
    const chosen = row !== undefined && this.chosen.has(row.id);
    const look = `line ${row?.urgency ?? "line--empty"}${current ? " current" : ""}${chosen ? " chosen" : ""}${row && this.pending.has(row.id) ? " pending" : ""}`;
    if (line.className !== look) line.className = look;
    line.setAttribute("aria-selected", String(chosen));
    line.setAttribute("aria-setsize", this.total);
    line.setAttribute("aria-posinset", at + 1);
    if (!row) {
      line.removeAttribute("id");
      line.removeAttribute("data-id");
      line.setAttribute("aria-label", "…");
      line.replaceChildren();
      line.kept = null;
      return;
    }
    line.removeAttribute("aria-label");
    if (line.kept === row.html && line.dataset.id === row.id) return;
    line.kept = row.html;
    line.id = `row-${row.id}`;
    line.dataset.id = row.id;
    line.replaceChildren(el("span", { class: "tick", "aria-hidden": "true" }), ...parsed(row.html));
    tick(line);
  }

  // -- moving -------------------------------------------------------------------------------------

  async go(at, { open = true } = {}) {
    if (!this.total) return;
    const to = Math.max(0, Math.min(at, this.total - 1));
    this.reveal(to);
    if (!this.rows.has(to)) await this.read();
    const row = this.rows.get(to);
    if (!row) return;
    this.cursor = { id: row.id, at: to };
    this.render();
    if (open) this.dispatchEvent(new CustomEvent("open", { detail: row.id }));
  }

  move(by) {
    return this.go(this.cursor.id ? this.cursor.at + by : 0);
  }

  // The ticket under the cursor is done: what comes after it, or at the end before it.
  follow() {
    const at = this.cursor.at;
    if (this.rows.get(at)?.id !== this.cursor.id) return this.go(at);
    return this.total > 1 ? this.go(at + 1 < this.total ? at + 1 : at - 1) : null;
  }

  neighbours() {
    return [1, -1, 2].map((by) => this.rows.get(this.cursor.at + by)?.id).filter(Boolean);
  }

  reveal(at) {
    const [top, bottom] = [at * this.height, (at + 1) * this.height];
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (bottom > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = bottom - this.box.clientHeight;
  }

  point(id) {
    const at = this.place(id);
    if (at < 0 && this.cursor.id === id) return;
    this.cursor = { id, at };
    this.render();
  }

  clicked(event) {
    const line = event.target.closest(".line");
    if (!line?.dataset.id) return;
    const at = Number(line.getAttribute("aria-posinset")) - 1;
    if (event.shiftKey) this.extend(at);
    else if (event.ctrlKey || event.metaKey || event.target.closest(".tick")) this.choose(line.dataset.id, at);
    else this.go(at);
    if (!phone()) this.box.focus({ preventScroll: true });
  }

  // -- choosing -----------------------------------------------------------------------------------

  choose(id = this.cursor.id, at = this.cursor.at) {
    if (!id) return;
    if (!this.chosen.delete(id)) this.chosen.add(id);
    this.from = at;
    this.changed();
  }

  extend(to) {
    const from = this.from >= 0 ? this.from : Math.max(0, this.cursor.at);
    for (let at = Math.min(from, to); at <= Math.max(from, to); at += 1) {
      const row = this.rows.get(at);
      if (row) this.chosen.add(row.id);
    }
    this.from = from;
    this.changed();
    this.go(to, { open: false });
  }

  chooseAll(ids) {
    for (const id of ids) this.chosen.add(id);
    this.changed();
  }

  chooseNone() {
    this.chosen.clear();
    this.from = -1;
    this.changed();
  }

  changed() {
    this.render();
    this.dispatchEvent(new Event("chosen"));
  }

  mark(id, pending) {
    if (pending) this.pending.add(id);
    else this.pending.delete(id);
    this.render();
  }
}

export function chosenText(list) {
  return t("chosen", { n: list.chosen.size });
}
