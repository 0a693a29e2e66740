// What pages do without a library: each resolves to true where the page could do all of it.

const outcome = (response) => response.arrayBuffer().then(() => response.ok);

async function calls(url, { calls: given }) {
  for (const [path, { form, ...init }] of given) {
    if (form) {
      init.body = new FormData();
      init.body.append("file", new Blob(["x".repeat(100_000)]), "a.txt");
    }
    if (!await fetch(url + path, init).then(outcome)) return false;
  }
  return true;
}

// As a client of server-sent events that needs headers of its own.
async function stream(url, { path = "/events", ...init }) {
  const { body } = await fetch(url + path, init);
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text.includes('"n": 4');
    text += value;
  }
}

function worker(url, { path, init }) {
  const script = `fetch(${JSON.stringify(url + path)}, ${JSON.stringify(init)})
    .then((response) => postMessage(response.ok), () => postMessage(false));`;
  const running = new Worker(URL.createObjectURL(new Blob([script])));
  return new Promise((resolve) => { running.onmessage = ({ data }) => resolve(data); });
}

function xhr(url, { method = "GET", path = "/", headers = {}, body, credentials = false, watched = false }) {
  const request = new XMLHttpRequest();
  request.open(method, url + path);
  request.withCredentials = credentials;
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  // Who watches an upload makes it need a preflight.
  if (watched) request.upload.onprogress = () => {};
  return new Promise((resolve) => {
    request.onload = () => resolve(request.status === 200);
    request.onerror = () => resolve(false);
    request.send(body);
  });
}

async function events(url, { credentials = false } = {}) {
  // Only a cookie shows that a call without a preflight has credentials.
  if (credentials) await fetch(`${url}/login`, { credentials: "include" }).catch(() => null);
  const source = new EventSource(`${url}/events`, { withCredentials: credentials });
  let heard = 0;
  return new Promise((resolve) => {
    source.addEventListener("tick", () => { if (++heard === 5) resolve(true); });
    source.onerror = () => { resolve(false); };
  }).finally(() => source.close());
}

function socket(url) {
  const opened = new WebSocket(`${url.replace("http", "ws")}/socket`);
  return new Promise((resolve) => {
    opened.onopen = () => opened.send("hi");
    opened.onmessage = ({ data }) => resolve(data === "echo hi");
    opened.onerror = () => resolve(false);
  }).finally(() => opened.close());
}

function image(url, { crossOrigin = "anonymous" } = {}) {
  const shown = new Image();
  shown.crossOrigin = crossOrigin;
  return new Promise((resolve) => {
    shown.onload = () => resolve(true);
    shown.onerror = () => resolve(false);
    shown.src = `${url}/pixel.svg?${performance.now()}`;
  });
}

async function module(url) {
  return (await import(`${url}/module.js?${performance.now()}`)).answer === 42;
}

const ways = { calls, stream, worker, xhr, events, socket, image, module };

window.called = async (name, ...given) => {
  try {
    return (await ways[name](...given)) ? "works" : "fails";
  } catch (error) {
    return `fails: ${error}`;
  }
};
