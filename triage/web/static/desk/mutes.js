// Mutes: ending one, and bringing back what it took.

import { $, parsed, t, toast } from "./dom.js";
import { act, get, Refusal } from "./net.js";

// Ends a mute; `back` also opens what it took, in as many requests as that takes. Without it the
// server does so for who takes back what they did just now. Gives the mute and how many came back.
export async function endMute(id, back = null) {
  let count = 0;
  for (let offset = 0; ;) {
    const body = { offset, ...(back !== null && { bring_back: back }) };
    const answer = await act(`/api/v1/mutes/${id}/end`, body);
    count += answer.brought_back;
    if (answer.next === null) return { mute: answer.mute, count };
    offset = answer.next;
  }
}

// Says that a mute was ended, with the offer to bring back what it took and is not back yet.
export function told({ mute, count }, after) {
  if (count) toast(t("brought", { n: count }));
  else if (mute.taken) toast(t("unmuted_took", { n: mute.taken }), { action: { label: t("bring"), run: () => bring(mute.id, after) } });
  else toast(t("unmuted"), { ms: 4_000 });
}

export async function bring(id, after) {
  await tried(async () => {
    const { count } = await endMute(id, true);
    toast(t("brought", { n: count }));
  });
  await after();
}

async function tried(run) {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    toast(error.told(), { error: true });
  }
}

// The page of all mutes.
export function mutesPage() {
  const again = async () => {
    const nodes = parsed(await (await get(location.href)).text());
    const fresh = nodes.map((node) => node.querySelector?.("#mutes")).find(Boolean);
    const focus = document.activeElement?.closest("tr")?.dataset.mute;
    if (fresh) $("mutes").replaceWith(fresh);
    if (focus) document.querySelector(`tr[data-mute="${CSS.escape(focus)}"] :is(button, a)`)?.focus();
  };
  $("inhoud").addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    const { end, bring: back } = button?.dataset ?? {};
    if (!end && !back) return;
    button.disabled = true;
    if (back) return bring(back, again);
    await tried(async () => told(await endMute(end), again));
    await again();
  });
}
