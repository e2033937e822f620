// node relay.mjs SOCKET_URL TOKEN WEBHOOK_URL SECRET PARALLEL: what a good Node developer writes in
// an afternoon. It signs each event and sends it, PARALLEL at a time, over kept-alive connections.
// It keeps nothing, retries nothing and prints nothing.
import { createHmac } from "node:crypto";
import { io } from "socket.io-client";
import { Pool } from "undici";

const [socketUrl, token, webhookUrl, secret, parallel] = process.argv.slice(2);
const target = new URL(webhookUrl);
const pool = new Pool(target.origin, { connections: Number(parallel) });
const socket = io(socketUrl, { transports: ["websocket"], query: { token } });

const waiting = [];
let under_way = 0;

async function send([event, payload]) {
  const body = JSON.stringify({ event, payload, meta: { socketId: socket.id } });
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  const answer = await pool.request({
    path: target.pathname,
    method: "POST",
    headers: { "content-type": "application/json", "x-signature-sha256": signature },
    body,
  });
  await answer.body.dump();
}

function next() {
  while (under_way < Number(parallel) && waiting.length) {
    under_way += 1;
    send(waiting.shift()).finally(() => {
      under_way -= 1;
      next();
    });
  }
}

socket.onAny((event, payload) => {
  waiting.push([event, payload]);
  next();
});
