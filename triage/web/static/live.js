// Keeps the page up to date: fetches it again when something happened, and every half minute.
// Without this script the page is the same, as it stood when it was asked for.

const EVERY = 30_000; // milliseconds without news
const AT_MOST = 1_000; // milliseconds between two fetches

let due = null;
let busy = false;

function soon(after = AT_MOST) {
  if (due !== null) return;
  due = setTimeout(refresh, after);
}

async function refresh() {
  due = null;
  if (busy || document.hidden) return;
  busy = true;
  try {
    const answer = await fetch(location.href, {
      headers: { Accept: "text/html", "X-Triage-Auto": "1" }, // nobody asked: it keeps no session alive
    });
    if (answer.redirected) location.reload(); // signed out meanwhile
    else if (answer.ok) swap(await answer.text());
  } catch {
    // The server is away: the next round tries again.
  } finally {
    busy = false;
  }
}

function swap(html) {
  const now = document.getElementById("live");
  const next = new DOMParser().parseFromString(html, "text/html").getElementById("live");
  if (!next || window.getSelection()?.type === "Range") return; // nothing moves under a selection
  for (const open of now.querySelectorAll("article details[open]")) {
    const same = next.querySelector(`#${CSS.escape(open.closest("article").id)} details`);
    if (same) same.open = true;
  }
  const focused = now.contains(document.activeElement) && document.activeElement.getAttribute("href");
  now.replaceWith(document.adoptNode(next));
  if (focused) next.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

const stream = new EventSource(document.getElementById("live").dataset.events);
stream.addEventListener("ticket", () => soon());
stream.addEventListener("resync", () => soon());
setInterval(() => soon(0), EVERY);
document.addEventListener("visibilitychange", () => soon(0));
