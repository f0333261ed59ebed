// What a list is asked for: kept in the address, so that a reload and a colleague see the same.

import { $, el, store, t, throttled, toast } from "./dom.js";

export function filters(list) {
  const form = $("filters");
  const changed = throttled(200, () => {
    address(form);
    list.cursor = { id: "", at: -1 };
    list.box.scrollTop = 0;
    list.chooseNone();
    count(form);
    list.read();
  });
  form.addEventListener("input", (event) => { if (event.target.id !== "views") changed(); });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    changed();
    list.box.focus();
  });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    fill(form, {});
    changed();
  });
  $("nothing-fits").addEventListener("click", () => list.box.focus()); // its button goes away
  $("filters-open").addEventListener("click", () => open($("filters-more").hidden));
  saved(form, changed);
  count(form);
  if (form.dataset.open) open(true);
}

function open(yes) {
  $("filters-more").hidden = !yes;
  $("filters-open").setAttribute("aria-expanded", String(yes));
}

function values(form) {
  return Object.fromEntries([...new FormData(form)].filter(([name, value]) => value && name !== "org"));
}

function fill(form, given) {
  for (const field of form.elements) {
    if (!field.name || field.name === "org") continue;
    if (field.type === "checkbox") field.checked = given[field.name] === field.value;
    else field.value = given[field.name] ?? "";
  }
}

function address(form) {
  const at = new URL(location.href);
  at.search = new URLSearchParams(Object.entries({ ...(form.elements.org && { org: form.elements.org.value }), ...values(form) }));
  history.replaceState(history.state, "", at);
}

function count(form) {
  const many = Object.keys(values(form)).filter((name) => name !== "q").length;
  $("filters-count").textContent = many ? ` (${many})` : "";
}

// -- saved views ----------------------------------------------------------------------------------

function saved(form, changed) {
  const choice = $("views");
  const draw = () => {
    const names = Object.keys(store("views") ?? {});
    choice.replaceChildren(choice.options[0], ...names.map((name) => el("option", { value: name }, name)));
  };
  draw();
  choice.addEventListener("change", () => {
    fill(form, (store("views") ?? {})[choice.value] ?? {});
    changed();
  });
  $("view-save").addEventListener("click", () => {
    const name = prompt(t("view_name"), choice.value)?.trim().slice(0, 60);
    if (!name) return;
    store("views", { ...(store("views") ?? {}), [name]: values(form) });
    draw();
    choice.value = name;
    toast(t("view_saved"), { ms: 3_000 });
  });
  $("view-drop").addEventListener("click", () => {
    const all = store("views") ?? {};
    delete all[choice.value];
    store("views", all);
    draw();
    choice.value = "";
  });
}
