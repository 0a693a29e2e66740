// Short remarks at the foot of the page, one of each kind.

import { append, el } from "./dom.js";

const LASTING_MS = 6000;
const kinds = new Map();

/** Say something; null takes it back. What has no kind of its own goes away by itself. */
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

/** Say it for a while. */
export function remark(text, isBad = false) {
  say("remark", [el(isBad ? "span.bad" : "span", {}, text)]);
  clearTimeout(timer);
  timer = setTimeout(() => say("remark", null), LASTING_MS);
}
