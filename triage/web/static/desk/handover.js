// What goes to Signalen, shown before it goes where something is missing: the place.

import { $, settings } from "./dom.js";

// Gives the place that a person says; empty where they let it be.
export function askPlace(pane) {
  const dialog = $("handover");
  const before = document.activeElement;
  $("handover-text").textContent = pane.querySelector("#post-text")?.textContent ?? "";
  $("handover-topic").textContent = settings.topics[pane.dataset.topic] ?? pane.dataset.topic;
  $("handover-place").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  $("handover-place").focus();
  return new Promise((done) => {
    dialog.addEventListener("close", () => {
      if (before?.isConnected) before.focus();
      done(dialog.returnValue === "send" ? $("handover-place").value.trim() : "");
    }, { once: true });
  });
}
