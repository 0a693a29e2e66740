// The calls that the page makes, like those of an ordinary app.

const json = (method, value, more = {}) => ({
  method,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
  ...more,
});

export const HERO = { title: "Read a list", path: "/api/products", init: {} };

export const CALLS = [
  { title: "Send JSON", path: "/api/cart", init: json("POST", { product: 2, quantity: 1 }) },
  { title: "Replace", path: "/api/cart/1", init: json("PUT", { product: 2, quantity: 3 }) },
  { title: "Change", path: "/api/cart/1", init: json("PATCH", { quantity: 4 }) },
  {
    title: "Log in",
    path: "/api/login",
    init: json("POST", { user: "ada" }, { credentials: "include" }),
    after: "The session cookie is HttpOnly: no script ever sees it, and the next call sends it.",
  },
  { title: "Use the session", path: "/api/me", init: { credentials: "include" } },
  { title: "Send a custom header", path: "/api/prices", init: { headers: { "x-currency": "USD" } } },
  { title: "Listen to events", path: "/api/events", stream: true },
  { title: "Read a 404", path: "/api/products/999", init: {} },
  { title: "Read a 500", path: "/api/report", init: {} },
];

export const REFUSALS = [
  {
    id: "method",
    title: "A method that is not listed",
    path: "/api/cart/1",
    init: { method: "DELETE" },
  },
  {
    id: "header",
    title: "A request header that is not listed",
    path: "/api/products",
    init: { headers: { "x-debug": "1" } },
  },
  {
    id: "origin",
    title: "A page on an origin that is not listed",
    path: "/api/products",
    init: {},
    elsewhere: true,
  },
];

/** The call as a developer would write it; `base` is JavaScript, a string or a name. */
export function code(base, call) {
  const url = base.endsWith('"') ? `${base.slice(0, -1)}${call.path}"` : `${base} + "${call.path}"`;
  if (call.stream) return `new EventSource(${url})`;
  const lines = [];
  const { method, credentials, headers, body } = call.init;
  if (method) lines.push(`method: "${method}"`);
  if (credentials) lines.push(`credentials: "${credentials}"`);
  if (headers) {
    const pairs = Object.entries(headers).map(([name, value]) => `"${name}": "${value}"`);
    lines.push(`headers: {\n    ${pairs.join(",\n    ")}\n  }`);
  }
  if (body) lines.push(`body: '${body}'`);
  const options = lines.length ? `, {\n  ${lines.join(",\n  ")}\n}` : "";
  return `fetch(${url}${options})`;
}

export const methodOf = (call) => call.init?.method ?? "GET";
