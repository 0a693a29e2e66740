// Says whether a request is for /account: express, and Node's own server with the URL class.
const http = require("node:http");
const express = require("express");

const app = express();
app.use("/account", (request, response) => response.send("account"));
app.use((request, response) => response.send("other"));
const plain = http.createServer((request, response) => {
  let path = "/";
  try {
    path = decodeURIComponent(new URL(`http://localhost${request.url}`).pathname);
  } catch {
    response.writeHead(400);
  }
  response.end(`${path}/`.startsWith("/account/") ? "account" : "other");
});
const server = process.argv[2] === "express" ? http.createServer(app) : plain;
server.listen(0, "127.0.0.1", () => console.log(`Listening on ${server.address().port}`));
