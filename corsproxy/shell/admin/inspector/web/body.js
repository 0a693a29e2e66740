// The tab "Body": the beginning of what either side sent, as text.

import { el } from "./dom.js";
import { indented } from "./json.js";
import { bytes } from "./text.js";

export function bodyTab({ body }, context) {
  return [
    side("Response", body.response, context),
    side("Request", body.request, context),
  ];
}

function side(name, found, context) {
  const heading = el("h3.part", {}, name, found?.type ? el("code", {}, context.text(found.type)) : null);
  if (found === undefined || found.size === 0) return [heading, el("p.note", {}, "No body.")];
  return [heading, el("p.note", {}, remarks(found)), content(name, found, context)];
}

function remarks(found) {
  const parts = [bytes(found.size)];
  if (found.let_go) parts.push("let go to make room for newer ones");
  else if (found.kept < found.size) parts.push(`the first ${bytes(found.kept)} are kept`);
  if (found.coding) parts.push(found.failure || `${found.coding}, decoded for you`);
  return parts.join(" · ");
}

function content(name, found, context) {
  if (found.let_go) return null;
  if (found.text === undefined) return el("p.note", {}, "It is no text.");
  const isJson = /[/+]json/i.test(found.type) || /^\s*[[{]/.test(found.text);
  const text = isJson ? indented(found.text) : found.text;
  return el("pre.body", { tabIndex: 0, "aria-label": `${name} body` }, context.text(text));
}
