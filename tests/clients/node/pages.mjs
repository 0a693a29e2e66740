// What a page does with each client library: resolves to true where the call has worked.

import { ApolloClient, InMemoryCache, gql } from "@apollo/client/core";
import { HttpLink } from "@apollo/client/link/http";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import axios from "axios";
import { UserManager } from "oidc-client-ts";
import OpenAI from "openai";
import { io } from "socket.io-client";
import { Upload } from "tus-js-client";

async function openai(url, settings = {}) {
  const client = new OpenAI({
    baseURL: `${url}/v1`, apiKey: "k", dangerouslyAllowBrowser: true, maxRetries: 0, ...settings,
  });
  const messages = [{ role: "user", content: "Hi" }];
  let text = "";
  for await (const chunk of await client.chat.completions.create({
    model: "m", messages, stream: true,
  })) {
    text += chunk.choices[0].delta.content;
  }
  return text === "Hello world";
}

function tus(url, { credentials = false, deletes = false, ...settings } = {}) {
  const body = new Blob(["x".repeat(300_000)]);
  return new Promise((resolve) => {
    const upload = new Upload(body, {
      endpoint: `${url}/files`, retryDelays: null, chunkSize: 100_000,
      storeFingerprintForResuming: false, metadata: { filename: "a.txt" },
      onBeforeRequest: (request) => {
        request.getUnderlyingObject().withCredentials = credentials;
      },
      onError: () => resolve(false),
      onSuccess: () => {
        if (!deletes) return resolve(true);
        upload.abort(true).then(() => resolve(true), () => resolve(false));
      },
      ...settings,
    });
    upload.start();
  });
}

async function axiosLogin(url) {
  const api = axios.create({ baseURL: url, withCredentials: true });
  await api.post("/login", { user: "ada" });
  const { data, headers } = await api.get("/me");
  return data.user === "ada" && headers["x-total-count"] === "1";
}

// Some other calls; each is what `axios.request` takes.
async function axiosCalls(url, { calls, form = false, watched = false, ...settings }) {
  const api = axios.create({ baseURL: url, ...settings });
  const onUploadProgress = watched ? () => {} : undefined;
  for (const call of calls) {
    const data = form ? new FormData() : call.data;
    if (form) data.append("file", new Blob(["x".repeat(300_000)]), "a.txt");
    const { status } = await api.request({ ...call, data, onUploadProgress });
    if (status !== 200) return false;
  }
  return true;
}

function socketio(url, { upgrades = true, ...settings } = {}) {
  const socket = io(url, {
    withCredentials: true, reconnection: false, forceNew: true, ...settings,
  });
  return new Promise((resolve) => {
    socket.on("connect_error", () => resolve(false));
    socket.on("connect", () => {
      const { engine } = socket.io;
      const talk = () => {
        socket.emit("echo", "hi", (text) => { socket.close(); resolve(text === "hi"); });
      };
      // The first transport is polling; wait for the upgrade, too, which may have come already.
      if (!upgrades || engine.transport.name === "websocket") talk();
      else engine.on("upgrade", talk);
    });
  });
}

async function s3(url, { reads = true } = {}) {
  const client = new S3Client({
    endpoint: url, region: "us-east-1", forcePathStyle: true, maxAttempts: 1,
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
  });
  const object = { Bucket: "bucket", Key: "a" };
  const put = await client.send(new PutObjectCommand({ ...object, Body: "hello" }));
  if (!reads) return true;
  const { Body } = await client.send(new GetObjectCommand(object));
  return Boolean(put.ETag) && (await Body.transformToString()) === "hello";
}

async function graphql(url, settings = {}) {
  const link = new HttpLink({ uri: `${url}/graphql`, credentials: "include", ...settings });
  const client = new ApolloClient({
    link, cache: new InMemoryCache(), name: "web", version: "1",
  });
  const { data } = await client.query({ query: gql`{ me }` });
  return data.me === "ada";
}

// The first call leads to the provider's login; the page that it leads back to calls again.
// `paths` names endpoints that are to be reached through the proxy.
async function oidc(url, { paths = {}, ...settings } = {}) {
  const seeded = Object.entries(paths).map(([name, path]) => [name, url + path]);
  const manager = new UserManager({
    authority: url, client_id: "app", redirect_uri: `${location.origin}/`, scope: "openid",
    loadUserInfo: true, metadataSeed: Object.fromEntries(seeded), ...settings,
  });
  if (!location.search) {
    await manager.signinRedirect();
    return true;
  }
  const user = await manager.signinCallback();
  history.replaceState({}, "", "/");
  return Boolean(user.profile.sub);
}

const calls = { openai, tus, axios: axiosLogin, axiosCalls, socketio, s3, graphql, oidc };

window.called = async (name, ...given) => {
  try {
    return (await calls[name](...given)) ? "works" : "fails";
  } catch (error) {
    return `fails: ${error}`;
  }
};
