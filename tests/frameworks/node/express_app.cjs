// An express application with cookie sessions that checks where a form comes from, as csurf's successors do.
const express = require("express");
const session = require("express-session");

const app = express();
app.set("trust proxy", "loopback");
app.set("strict routing", true);
app.use(session({ secret: "of a test", resave: false, saveUninitialized: false }));
app.use(express.urlencoded({ extended: false }));

const own = (request) => `${request.protocol}://${request.host}`;

app.get("/token/", (request, response) => response.json({ token: "none" }));
app.get("/me", (request, response) => response.redirect(`${own(request)}/me/`));
app.get("/me/", (request, response) => response.json({ user: request.session.user ?? null }));
app.post("/login/", (request, response) => {
  if (request.get("origin") !== own(request)) return response.status(403).send("another origin");
  request.session.user = request.body.user;
  return response.redirect(303, `${own(request)}/me/`);
});

const server = app.listen(0, "127.0.0.1", () => console.log(`Listening on ${server.address().port}`));
