// The way to the server. What a person did is sent until it is answered: with the same key each
// time, so that it happens once however often its answer got lost; also after a reload.

import { settings, t } from "./dom.js";

export const bus = new EventTarget();

const FOR_MS = 9 * 60_000; // the server remembers answers for ten minutes
const PAUSES = [500, 1_000, 2_000, 4_000, 8_000, 15_000];
const PENDING = `triage.pending.${settings.me}`;
const TRY_AGAIN = new Set([429, 502, 503, 504]);

const pending = new Map(read());
let online = true;

export const waiting = () => pending.size;

// What the server refuses whoever has the ticket.
const NOT_FOR_HOLDER = new Set(["labels-changed", "not-undoable"]);

export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail ?? String(status));
    this.status = status;
    this.code = problem.code ?? "";
    this.holder = problem.holder?.owner ?? "";
  }

  told() { return this.holder && !NOT_FOR_HOLDER.has(this.code) ? t("conflict", { who: this.holder }) : t("failed", { why: this.message }); }
}

export function address(path) {
  const at = new URL(path, location.origin);
  const org = new URLSearchParams(location.search).get("org");
  if (org) at.searchParams.set("org", org);
  return at;
}

export async function get(path, { auto = false } = {}) {
  const answer = await fetch(path, { headers: { Accept: "text/html, application/json", ...(auto && { "X-Triage-Auto": "1" }) } });
  if (answer.status === 401 || answer.redirected) location.reload(); // signed out meanwhile
  if (!answer.ok) throw new Refusal(answer.status, await problem(answer));
  return answer;
}

// Does something; gives what the server answered. Throws Refusal when the server says no.
export function act(path, body) {
  const key = crypto.randomUUID();
  pending.set(key, { path, body, at: Date.now() });
  keep();
  return deliver(key);
}

async function deliver(key) {
  const { path, body, at } = pending.get(key);
  try {
    for (let attempt = 0; ; attempt += 1) {
      const answer = await attemptOnce(key, path, body);
      if (answer !== null) return answer;
      if (Date.now() - at > FOR_MS) throw new Refusal(0, { detail: settings.texts.offline });
      await pause(PAUSES[Math.min(attempt, PAUSES.length - 1)]);
    }
  } finally {
    pending.delete(key);
    keep();
  }
}

async function attemptOnce(key, path, body) {
  let answer;
  try {
    answer = await fetch(address(path), {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": key, ...csrf() },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    });
    if (!TRY_AGAIN.has(answer.status)) {
      const said = answer.ok ? await content(answer) : null;
      if (answer.ok) {
        reached(true);
        return said;
      }
    }
  } catch {
    reached(false);
    return null;
  }
  if (TRY_AGAIN.has(answer.status)) {
    reached(answer.status === 429);
    return null;
  }
  reached(true);
  throw new Refusal(answer.status, await problem(answer));
}

async function content(answer) {
  return answer.status === 204 ? {} : answer.json();
}

async function problem(answer) {
  try {
    return await answer.json();
  } catch {
    return {};
  }
}

function csrf() {
  return settings.csrf ? { "X-CSRF-Token": settings.csrf } : {};
}

export function reached(yes) {
  if (yes === online) {
    bus.dispatchEvent(new Event("pending"));
    return;
  }
  online = yes;
  bus.dispatchEvent(new Event(yes ? "online" : "offline"));
}

const wakers = new Set();

function pause(ms) {
  return new Promise((done) => {
    const wake = () => { wakers.delete(wake); clearTimeout(timer); done(); };
    const timer = setTimeout(wake, ms);
    wakers.add(wake);
  });
}

bus.addEventListener("online", () => { for (const wake of [...wakers]) wake(); });
addEventListener("online", () => { for (const wake of [...wakers]) wake(); });

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(PENDING) ?? "[]");
  } catch {
    return [];
  }
}

function keep() {
  try {
    sessionStorage.setItem(PENDING, JSON.stringify([...pending]));
  } catch {
    // It is still sent from memory.
  }
  bus.dispatchEvent(new Event("pending"));
}

// Sends what an earlier page of this tab did not get answered.
export function resume(done) {
  for (const [key, { at }] of [...pending]) {
    if (Date.now() - at > FOR_MS) pending.delete(key);
    else deliver(key).then(done, done);
  }
  keep();
}
