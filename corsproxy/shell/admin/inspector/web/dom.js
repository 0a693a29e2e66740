// Builds elements without HTML strings: captured text stays text.

/** el("p.note", {id: "x"}, "text", child, …): a tag with classes, properties, children. */
export function el(selector, properties = {}, ...children) {
  const [tag, ...classes] = selector.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.startsWith("aria")) element[name] = value;
    else element.setAttribute(name, value);
  }
  append(element, children);
  return element;
}

/** Appends children. Skips null, undefined and false, and flattens lists. */
export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/** A button with its action. */
export function button(text, onclick, properties = {}) {
  const { class: classes = "", ...others } = properties;
  return el(classes ? `button.${classes}` : "button", { type: "button", onclick, ...others }, text);
}

/** Opens a dialog that is removed when it is closed; then calls `closed`. */
export function openDialog(dialog, closed = () => {}) {
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
