// http-proxy-3 with the CORS code that its users write around it.
import http from "node:http";
import httpProxy from "http-proxy-3";

const allowed = new Set([process.env.ORIGIN]);
const proxy = httpProxy.createProxyServer({
  target: process.env.UPSTREAM,
  agent: new http.Agent({ keepAlive: true }),
});

proxy.on("proxyRes", (answer, request) => {
  for (const name of Object.keys(answer.headers)) {
    if (name.startsWith("access-control-")) delete answer.headers[name];
  }
  if (request.headers.origin) {
    answer.headers["access-control-allow-origin"] = request.headers.origin;
  }
  answer.headers.vary = answer.headers.vary ? `${answer.headers.vary}, Origin` : "Origin";
});
proxy.on("error", (_error, _request, client) => client.destroy());

const isRefused = (origin) => origin !== undefined && !allowed.has(origin);

const server = http.createServer((request, response) => {
  const { origin } = request.headers;
  if (isRefused(origin)) {
    response.writeHead(403).end();
  } else if (request.method === "OPTIONS" && request.headers["access-control-request-method"]) {
    response
      .writeHead(204, {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": "content-type, authorization",
        vary: "Origin",
      })
      .end();
  } else {
    proxy.web(request, response);
  }
});
server.on("upgrade", (request, socket, head) => {
  if (isRefused(request.headers.origin)) socket.destroy();
  else proxy.ws(request, socket, head);
});
server.listen(Number(process.env.PORT), "127.0.0.1");
