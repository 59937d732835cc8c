// An upstream in Node: says who calls, as the gateway tells it.
//
//     PORT=9000 node upstream.mjs

import { createServer } from "node:http";

const prefix = (process.env.PREFIX ?? "Guarita-").toLowerCase();

const server = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  // The gateway alone sets these headers: they need no check here.
  const told = (name) => request.headers[prefix + name] ?? null;
  const seen = {
    account: told("account"),
    key: told("key"),
    permissions: told("permissions"),
    address: told("address"),
    ray: told("ray"),
    subject: told("certificate-subject"),
    authorization: request.headers.authorization ?? null, // never arrives
    method: request.method,
    path: request.url.split("?")[0],
    body: Buffer.concat(parts).toString(),
  };
  console.log(seen.method, seen.path, "by", seen.account, "with", seen.key);
  const answer = JSON.stringify(seen);
  response.writeHead(request.method === "POST" ? 201 : 200, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(answer),
  });
  response.end(answer);
});

// Longer than the gateway keeps an unused connection (idle_s, 4 seconds).
server.keepAliveTimeout = 30_000;
server.listen(Number(process.env.PORT ?? 9000), "127.0.0.1");
