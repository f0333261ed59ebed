// Everything by keyboard. Single letters can be switched off, and mean nothing while typing.

import { $, settings, store, t, toast } from "./dom.js";
import * as menus from "./menu.js";
import { toggle } from "./alarm.js";
import { other } from "./words.js";

const typing = (target) => target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") !== null;

export function keys({ list = null, pane = null, actions = null, bulk = null, regroup = null, own = {}, named: further = [] } = {}) {
  const help = $("keys");
  $("keys-open")?.addEventListener("click", () => help.showModal());
  $("palette-open")?.addEventListener("click", () => commands());
  $("keys-on").checked = store("keys") !== "off";
  $("keys-on").addEventListener("change", (event) => store("keys", event.target.checked ? null : "off"));

  const focus = (id) => { const field = $(id); if (field) { field.focus(); field.scrollIntoView({ block: "nearest" }); } };
  const topic = () => actions.isOpen() && menus.topics(best(), (key) => actions.correct("topic", key));
  const intent = () => actions.isOpen() && menus.intents((key) => actions.correct("intent", key));
  const team = () => actions.isOpen() && menus.teams(pane.pane.dataset.team, (key) => actions.reassign(key));
  const time = () => actions.isOpen() && menus.times((seconds, what) => actions.snooze(seconds, what));
  const best = () => [...pane.pane.querySelectorAll(".chip[data-topic] kbd")].map((mark) => mark.parentElement.dataset.topic);
  const mute = () => {
    if (offered("unmute")) actions.unmute();
    else if (pane.pane?.dataset.mute) toast(t("mute_others"), { ms: 4_000 });
    else if (pane.pane?.querySelector("[data-menu=mute]")) menus.mutes((days, reason, words) => actions.mute(days, reason, words));
  };
  const offered = (act) => Boolean(pane?.pane?.querySelector(`[data-act=${act}]`));
  const source = () => pane.pane?.querySelector("a[target=_blank][href]")?.click();

  const read = pane ? {
    c: () => actions.claim(),
    u: () => actions.release(),
    y: () => actions.confirm(),
    e: () => actions.escalate(),
    r: () => focus("reply"),
    t: topic,
    i: intent,
    a: team,
    s: time,
    m: () => focus("note"),
    d: mute,
    l: () => regroup.split(),
    o: source,
    w: other,
    z: () => actions.undo(),
    g: () => offered("signalen") && actions.signalen(),
    h: () => offered("reopen") && actions.reopen(),
    b: () => offered("wake") && actions.wake(),
    ...Object.fromEntries(Object.keys(settings.urgencies).map((key, place) => [String(place + 1), () => actions.correct("urgency", key)])),
    ...Object.fromEntries([0, 1, 2].map((place) => [String(place + 5), () => best()[place] && actions.correct("topic", best()[place])])),
  } : {};
  const walk = list ? {
    j: () => list.move(1),
    k: () => list.move(-1),
    n: () => actions.claimNext(),
    x: () => list.choose(),
    v: () => regroup.ask(),
    "/": () => focus("q"),
    Enter: () => list.cursor.id && pane.open(list.cursor.id, { focus: true }),
  } : {};
  for (const [key, run] of Object.entries(read)) read[key] = async () => { await pane.settled(); run(); };
  const all = { ...read, ...walk, ...own, "?": () => help.showModal() };

  function commands() {
    const named = [
      ...(list ? [["cmd_next", "n"], ["cmd_search", "/"]] : []),
      ...(pane?.pane ? [["cmd_claim", "c"], ["cmd_release", "u"], ["cmd_resolve", "r"], ["cmd_confirm", "y"], ["cmd_topic", "t"], ["cmd_intent", "i"], ["cmd_reassign", "a"], ["cmd_escalate", "e"], ["cmd_snooze", "s"], ["cmd_note", "m"], ["cmd_mute", "d"], ["cmd_split", "l"], ["cmd_undo", "z"]] : []),
      ...[["signalen", "g"], ["reopen", "h"], ["wake", "b"]].filter(([act]) => offered(act)).map(([act, key]) => [`cmd_${act}`, key]),
      ...further,
      ["cmd_keys", "?"],
    ].map(([name, key]) => ({ label: t(name), key, run: all[key] }));
    if (bulk) named.push({ label: t("cmd_all"), run: () => bulk.all() }, { label: t("cmd_merge"), key: "v", run: all.v });
    named.push({ label: t("cmd_alarm"), run: toggle });
    const org = new URLSearchParams(location.search).get("org");
    const to = (path) => () => { location.href = path + (org ? `?org=${encodeURIComponent(org)}` : ""); };
    named.push({ label: t("go_board"), run: to("/") });
    if (settings.acts) named.push({ label: t("go_one"), run: to("/labels/een-voor-een") });
    if (settings.leads) named.push({ label: t("go_lead"), run: to("/sturing") }, { label: t("go_mutes"), run: to("/dempingen") });
    for (const [key, name] of Object.entries(settings.teams)) named.push({ label: t("go_queue", { what: name }), run: to(`/teams/${encodeURIComponent(key)}`) });
    menus.menu(t("cmd_search"), named);
  }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (!document.querySelector("dialog[open]")) commands();
      return;
    }
    if (document.querySelector("dialog[open]")) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && event.target.closest("#reply-form")) {
      event.preventDefault();
      actions.resolve();
      return;
    }
    if (event.key === "Escape" && list) {
      event.preventDefault(); // a search field would empty itself
      if (typing(event.target) || document.body.classList.contains("reading") || document.activeElement !== list.box) {
        pane.close();
        list.box.focus();
      } else list.chooseNone();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (list && event.target === list.box && arrows(event, list)) return;
    const plain = event.key.length === 1;
    if (plain && store("keys") === "off") return;
    if (event.key === "Enter" && event.target !== list?.box) return;
    const run = all[event.key];
    if (!run) return;
    event.preventDefault();
    if (event.repeat && own[event.key]) return; // a key held down must not label what nobody read
    run();
  });
}

function arrows(event, list) {
  const page = Math.max(1, Math.floor(list.box.clientHeight / list.height) - 1);
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
  if (event.key in steps) {
    event.preventDefault();
    const to = (list.cursor.id ? list.cursor.at : -1) + steps[event.key];
    if (event.shiftKey) list.extend(Math.max(0, Math.min(to, list.total - 1)));
    else list.go(to);
    return true;
  }
  if (event.key === "Home" || event.key === "End") {
    event.preventDefault();
    list.go(event.key === "Home" ? 0 : list.total - 1);
    return true;
  }
  if (event.key === " ") {
    event.preventDefault();
    list.choose();
    return true;
  }
  return false;
}
