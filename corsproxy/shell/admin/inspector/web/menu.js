// A menu of less frequent actions. It closes when one is chosen, when the focus leaves it, and on
// Escape, which returns the focus to its button.

import { button, el } from "./dom.js";

/** `items` are [text, act] pairs; `key` names the button, so that a redraw keeps focus and state. */
export function menu(text, key, items) {
  const summary = el("summary", { "data-key": key }, text);
  const choose = (act) => {
    close();
    act();
  };
  const choices = items.map(([name, act]) =>
    button(name, () => choose(act), { class: "small quiet", "data-key": `${key} ${name}` }),
  );
  const details = el("details.more", {}, summary, el("div.menu", {}, choices));
  const close = () => {
    details.open = false;
    summary.focus({ preventScroll: true });
  };

  details.addEventListener("keydown", (event) => {
    if (!details.open || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = choices.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: (at > 0 ? at : choices.length) - 1, Home: 0, End: choices.length - 1 }[event.key];
    if (event.key === "Escape") close();
    else if (to !== undefined) choices[to % choices.length].focus();
    else return;
    event.preventDefault();
  });
  details.addEventListener("focusout", ({ relatedTarget }) => {
    // Nothing gets the focus while the panel is redrawn.
    if (relatedTarget !== null && !details.contains(relatedTarget)) details.open = false;
  });
  return details;
}

document.addEventListener("pointerdown", ({ target }) => {
  for (const open of document.querySelectorAll("details.more[open]")) {
    if (!open.contains(target)) open.open = false;
  }
});
