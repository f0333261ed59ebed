// Small things that every part of the desk uses: settings, texts, elements, messages.

export const settings = JSON.parse(document.getElementById("settings").textContent);

const skew = new Date(settings.now).getTime() - Date.now(); // our clock may be off

export const now = () => Date.now() + skew;

export const $ = (id) => document.getElementById(id);

export function t(key, values = {}) {
  const text = settings.texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

// Makes an element; strings become text, never markup.
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Reads markup that our own server rendered.
export function parsed(html) {
  const nodes = new DOMParser().parseFromString(html, "text/html").body;
  return [...nodes.childNodes].map((node) => document.adoptNode(node));
}

const toSay = [];

// Says something to who cannot see the screen, without taking the focus; what comes at once is said
// together.
export function announce(text) {
  toSay.push(text);
  if (toSay.length > 1) return;
  $("announce").textContent = "";
  setTimeout(() => { $("announce").textContent = toSay.splice(0).join(" · "); }, 50);
}

const TOAST_MS = 10_000;

export function toast(text, { action = null, error = false, ms = TOAST_MS } = {}) {
  const note = el("div", { class: `toast${error ? " toast--error" : ""}` }, el("span", {}, text));
  const gone = () => note.remove();
  if (action) {
    const run = () => { gone(); action.run(); };
    note.append(el("button", { type: "button", class: "toast__action", onclick: run }, action.label, " ", el("kbd", {}, action.key ?? "")));
  }
  note.append(el("button", { type: "button", class: "toast__close", "aria-label": t("close"), onclick: gone }, "×"));
  const place = $("toasts");
  place.append(note);
  while (place.children.length > 4) place.firstChild.remove();
  announce(text);
  setTimeout(gone, ms);
  return gone;
}

export function store(name, value) {
  const key = `triage.${settings.org}.${settings.me}.${name}`;
  try {
    if (value === undefined) return JSON.parse(localStorage.getItem(key) ?? "null");
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing works all the same.
  }
  return value;
}

// Runs at most once in so many milliseconds, and once more for what came meanwhile.
export function throttled(ms, run) {
  let last = 0;
  let waiting = null;
  return () => {
    if (waiting !== null) return;
    waiting = setTimeout(() => {
      waiting = null;
      last = Date.now();
      run();
    }, Math.max(0, last + ms - Date.now()));
  };
}

export const phone = () => matchMedia("(max-width: 56rem)").matches;
