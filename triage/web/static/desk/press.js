// What a person is pressing right now. A press ends on the element that it began on, so nothing that
// comes by itself may be drawn over it: a click would go to what is no longer there.

const LONGEST_MS = 3_000; // an end may never come: of a press that opened a menu of the browser's own

let press = null;

function begin(event) {
  if (press || event.button) return;
  press = {};
  press.over = new Promise((done) => { press.end = done; });
  press.limit = setTimeout(end, LONGEST_MS);
}

function end() {
  if (!press) return;
  clearTimeout(press.limit);
  press.end();
  press = null;
}

for (const name of ["pointerdown", "keydown"]) addEventListener(name, begin, true);
for (const name of ["pointerup", "pointercancel", "keyup"]) addEventListener(name, () => setTimeout(end), true); // the click comes after it
addEventListener("blur", end);

// Returns when nothing is pressed.
export async function released() {
  while (press) await press.over;
}
