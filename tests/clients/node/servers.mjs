// The services that the clients of pages.mjs call, none of which knows CORS as the proxy does.
// Each takes a free port; the last line says which, as JSON.

import { createHash, createHmac } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { FileStore } from "@tus/file-store";
import { Server as TusServer } from "@tus/server";
import { SignatureV4 } from "@smithy/signature-v4";
import express from "express";
import session from "express-session";
import { GraphQLObjectType, GraphQLSchema, GraphQLString } from "graphql";
import { createHandler } from "graphql-http/lib/use/express";
import { Provider } from "oidc-provider";
import { Server as SocketServer } from "socket.io";

const work = mkdtempSync(join(tmpdir(), "clients-"));

async function listening(server) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

// What api.openai.com answers to a chat that is streamed.
function openai(request, response) {
  request.resume();
  if (!request.headers.authorization) return response.writeHead(401).end();
  response.writeHead(200, { "content-type": "text/event-stream", "x-request-id": "req_1" });
  for (const word of ["Hello", " world"]) {
    const chunk = {
      id: "1", object: "chat.completion.chunk", created: 1, model: "m",
      choices: [{ index: 0, delta: { content: word }, finish_reason: null }],
    };
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  }
  response.end("data: [DONE]\n\n");
}

function tus() {
  const server = new TusServer({
    path: "/files", relativeLocation: true, datastore: new FileStore({ directory: work }),
  });
  return createServer((request, response) => {
    // Unlike other tus servers, @tus/server ignores this field.
    request.method = request.headers["x-http-method-override"] ?? request.method;
    return server.handle(request, response);
  });
}

function login() {
  const app = express();
  app.use(session({ secret: "s", resave: false, saveUninitialized: false, name: "sid" }));
  app.use(express.json());
  app.post("/login", (request, response) => {
    request.session.user = request.body.user;
    response.set("x-total-count", "1").json({});
  });
  app.get("/me", (request, response) => {
    if (!request.session.user) return response.status(401).json({});
    response.set("x-total-count", "1").json({ user: request.session.user });
  });
  return createServer(app);
}

function sockets() {
  const server = createServer();
  new SocketServer(server).on("connection", (socket) => {
    socket.on("echo", (text, answer) => answer(text));
  });
  return server;
}

class Sha256 {
  constructor(secret) {
    this.hash = secret ? createHmac("sha256", secret) : createHash("sha256");
  }

  update(data) { this.hash.update(data); }

  async digest() { return new Uint8Array(this.hash.digest()); }
}

const signer = new SignatureV4({
  credentials: { accessKeyId: "key", secretAccessKey: "secret" },
  region: "us-east-1", service: "s3", sha256: Sha256, uriEscapePath: false,
});

// From 20261129T161000Z.
function dateOf(text = "") {
  return new Date(text.replace(/^(....)(..)(.....)(..)/, "$1-$2-$3:$4:"));
}

// Whether AWS's own signer comes to the same signature; Host is among what it covers.
async function isSigned(request, url) {
  const authorization = request.headers.authorization ?? "";
  const names = /SignedHeaders=([^,]*)/.exec(authorization)?.[1].split(";") ?? [];
  const headers = Object.fromEntries(names.map((name) => [name, request.headers[name]]));
  const signed = await signer.sign({
    method: request.method, hostname: request.headers.host, path: url.pathname,
    query: Object.fromEntries(url.searchParams), headers,
  }, { signingDate: dateOf(headers["x-amz-date"]) });
  return signed.headers.authorization === authorization;
}

// Objects in memory, for those whose requests are signed.
function s3() {
  const objects = new Map();
  return createServer(async (request, response) => {
    const url = new URL(request.url, "http://x");
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    if (!await isSigned(request, url)) {
      response.writeHead(403, { "content-type": "application/xml" });
      return response.end("<Error><Code>SignatureDoesNotMatch</Code></Error>");
    }
    if (request.method === "PUT") {
      const body = Buffer.concat(pieces);
      objects.set(url.pathname, body);
      const etag = createHash("md5").update(body).digest("hex");
      return response.writeHead(200, { etag: `"${etag}"`, "x-amz-request-id": "1" }).end();
    }
    const found = objects.get(url.pathname);
    return response.writeHead(found ? 200 : 404).end(found);
  });
}

function graphql() {
  const query = new GraphQLObjectType({
    name: "Query", fields: { me: { type: GraphQLString, resolve: () => "ada" } },
  });
  const app = express();
  app.all("/graphql", createHandler({ schema: new GraphQLSchema({ query }) }));
  return createServer(app);
}

// The page's origin is a redirect URI: so it comes on the command line.
async function oidc(page) {
  const server = createServer();
  const port = await listening(server);
  const issuer = `http://localhost:${port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: "app", redirect_uris: [`${page}/`], response_types: ["code"],
      grant_types: ["authorization_code"], token_endpoint_auth_method: "none",
      application_type: "native",
    }],
    clientBasedCORS: () => false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
  });
  server.on("request", provider.callback());
  return port;
}

const [page] = process.argv.slice(2);
const ports = {
  openai: await listening(createServer(openai)),
  tus: await listening(tus()),
  axios: await listening(login()),
  socketio: await listening(sockets()),
  s3: await listening(s3()),
  graphql: await listening(graphql()),
  oidc: await oidc(page),
};
console.log(`Listening ${JSON.stringify(ports)}`);
