// Short messages at the bottom of the page, one of each kind.

import { append, el } from "./dom.js";
import { sentences } from "./text.js";

const LASTING_MS = 6000;
const kinds = new Map();

/** Show a message in place of the last one of its kind; null removes it. */
export function say(kind, content) {
  const host = document.getElementById("toast");
  const known = kinds.get(kind);
  if (content === null) {
    known?.remove();
    kinds.delete(kind);
    return;
  }
  const key = content.map((part) => part.textContent ?? part).join("");
  if (known !== undefined && known.dataset.key === key) return;
  const element = append(el("div.remark", { "data-key": key }), content);
  element.dataset.key = key;
  if (known === undefined) host.append(element);
  else known.replaceWith(element);
  kinds.set(kind, element);
}

let timer = 0;

/** Show a message for a while. */
export function remark(text, isBad = false) {
  say("remark", [el(isBad ? "div.bad" : "div", {}, sentences(text))]);
  clearTimeout(timer);
  timer = setTimeout(() => say("remark", null), LASTING_MS);
}
