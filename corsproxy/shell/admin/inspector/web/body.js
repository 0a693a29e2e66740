// The tab "Body": the beginning of what either side sent, as text.

import { el } from "./dom.js";
import { indented } from "./json.js";
import { bytes, shown } from "./text.js";

export function bodyTab({ body }, context) {
  return [
    side("Response", body.response, context),
    side("Request", body.request, context),
  ];
}

function side(name, found, context) {
  const heading = el("h3.part", {}, name, found?.type ? el("code", {}, context.text(found.type)) : null);
  if (found === undefined || found.size === 0) return [heading, el("p.note", {}, "No body.")];
  return [heading, el("p.note", {}, remarks(found)), undecoded(found), content(name, found, context)];
}

function remarks(found) {
  const parts = [bytes(found.size)];
  if (found.let_go) parts.push("dropped to make room for newer bodies");
  else if (found.kept < found.size) parts.push(`only the first ${bytes(found.kept)} are kept`);
  if (found.coding) parts.push(found.failure ? found.coding : `${found.coding}, decoded`);
  return parts.join(" · ");
}

/** Why a body is not decoded, and the command that helps. */
function undecoded({ failure, install }) {
  if (!failure) return null;
  return [
    el("p.note", {}, shown(failure), install ? " Install it, then start corsproxy again:" : null),
    install && el("pre.command", { tabIndex: 0, "aria-label": "Command" }, install),
  ];
}

function content(name, found, context) {
  if (found.let_go) return null;
  if (found.text === undefined) return found.failure ? null : el("p.note", {}, "Not text, so it is not shown.");
  const isJson = /[/+]json/i.test(found.type) || /^\s*[[{]/.test(found.text);
  const text = isJson ? indented(found.text) : found.text;
  return el("pre.body", { tabIndex: 0, "aria-label": `${name} body` }, context.text(text));
}
