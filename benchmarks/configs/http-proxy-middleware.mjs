// http-proxy-middleware behind Express and the `cors` package, as its README shows.
import http from "node:http";
import cors from "cors";
import express from "express";
import { createProxyMiddleware } from "http-proxy-middleware";

const app = express();
const proxy = createProxyMiddleware({
  target: process.env.UPSTREAM,
  agent: new http.Agent({ keepAlive: true }),
  ws: true,
});
app.disable("x-powered-by");
app.use(
  cors({
    origin: [process.env.ORIGIN],
    methods: "GET,HEAD,POST,PUT,PATCH,DELETE",
    allowedHeaders: "content-type,authorization",
  }),
);
app.use(proxy);
app.listen(Number(process.env.PORT), "127.0.0.1").on("upgrade", proxy.upgrade);
