// The words that weighed: for the topic, or for the urgency. What was chosen holds for the next
// tickets too.

import { $, announce, parsed, t } from "./dom.js";
import { address, get } from "./net.js";

export function words(box, pane) {
  let wanted = "topic";
  let shown = "topic"; // what a ticket comes with

  function press(label) {
    for (const chip of box.querySelectorAll(".chip[data-words]")) chip.setAttribute("aria-pressed", String(chip.dataset.words === label));
  }

  async function show(label, auto) {
    const { id } = pane;
    if (!$("words")) return;
    press(label);
    const told = $("parts").textContent;
    $("parts").textContent = t("loading");
    const at = address(`/tickets/${id}/words`);
    at.searchParams.set("label", label);
    const current = () => pane.id === id && wanted === label && $("words");
    try {
      const html = await (await get(at, { auto })).text();
      if (!current()) return;
      $("words").replaceChildren(...parsed(html));
      shown = label;
      if (!auto) announce($("parts").textContent);
    } catch {
      if (!current()) return;
      $("parts").textContent = told;
      wanted = shown;
      press(shown);
    }
  }

  box.addEventListener("click", (event) => {
    const label = event.target.closest(".chip[data-words]")?.dataset.words;
    if (!label) return;
    wanted = label;
    show(label, false);
  });
  pane.addEventListener("shown", () => {
    shown = "topic";
    if (wanted !== shown) show(wanted, true);
  });
}

// The other label than the one that is shown.
export function other() {
  document.querySelector(".chip[data-words][aria-pressed=false]")?.click();
}
