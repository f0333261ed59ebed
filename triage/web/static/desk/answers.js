// Canned answers: what was chosen goes into the answer, and takes nothing away from it.

// Puts the chosen text at the cursor; in place of what is there only where nobody wrote that.
export function insertAnswer(choice, field) {
  const text = choice.selectedOptions[0]?.dataset.text;
  if (!text) return false;
  const { value, selectionEnd: at } = field;
  const untouched = !value.trim() || [...choice.options].some((one) => one.dataset.text === value);
  if (untouched) field.value = text;
  else field.setRangeText(apart(value.slice(0, at), text, value.slice(at)), at, at, "end");
  return true;
}

// Gives a text with a new line where it would touch what stands around it.
function apart(before, text, after) {
  return (/\S$/.test(before) ? "\n" : "") + text + (/^\S/.test(after) ? "\n" : "");
}
