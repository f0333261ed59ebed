// The words that weighed: for the topic, or for the urgency. What was chosen holds for the next
// tickets too.

import { $, announce, parsed } from "./dom.js";
import { address, get } from "./net.js";

export function words(box, pane) {
  let label = "topic";

  async function show(again) {
    const { id } = pane;
    const chips = () => [...box.querySelectorAll(".chip[data-words]")];
    if (!chips().length) return;
    for (const chip of chips()) chip.setAttribute("aria-pressed", String(chip.dataset.words === label));
    const at = address(`/tickets/${id}/words`);
    at.searchParams.set("label", label);
    const wanted = label;
    try {
      const html = await (await get(at, { auto: again })).text();
      if (pane.id !== id || label !== wanted || !$("words")) return;
      $("words").replaceChildren(...parsed(html));
      if (!again) announce($("parts").textContent);
    } catch {
      // The words for the topic came with the ticket, and still stand there.
      for (const chip of chips()) chip.setAttribute("aria-pressed", String(chip.dataset.words === "topic"));
    }
  }

  box.addEventListener("click", (event) => {
    const chosen = event.target.closest(".chip[data-words]")?.dataset.words;
    if (!chosen) return;
    label = chosen;
    show(false);
  });
  pane.addEventListener("shown", () => { if (label !== "topic") show(true); });
}

// The other label than the one that is shown.
export function other() {
  document.querySelector(".chip[data-words][aria-pressed=false]")?.click();
}
