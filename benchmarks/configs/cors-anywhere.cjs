// cors-anywhere with an allowlist; the upstream is named in each request's path.
const http = require("node:http");
const corsAnywhere = require("cors-anywhere");

corsAnywhere
  .createServer({
    originWhitelist: [process.env.ORIGIN],
    httpProxyOptions: { xfwd: false, agent: new http.Agent({ keepAlive: true }) },
  })
  .listen(Number(process.env.PORT), "127.0.0.1");
