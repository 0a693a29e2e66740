// Vite's dev server: server.cors for the allowlist, server.proxy for the API.
import http from "node:http";

export default {
  root: process.env.DIRECTORY,
  cacheDir: `${process.env.DIRECTORY}/cache`,
  logLevel: "silent",
  clearScreen: false,
  server: {
    host: "127.0.0.1",
    port: Number(process.env.PORT),
    strictPort: true,
    cors: {
      origin: [process.env.ORIGIN],
      methods: "GET,HEAD,POST,PUT,PATCH,DELETE",
      allowedHeaders: "content-type,authorization",
    },
    proxy: {
      "/": {
        target: process.env.UPSTREAM,
        agent: new http.Agent({ keepAlive: true }),
        ws: true,
      },
    },
  },
};
