// node relay.mjs SOCKET_URL TOKEN WEBHOOK_URL SECRET PARALLEL: what a good Node developer writes in
// an afternoon. It signs each event and sends it, PARALLEL at a time, over kept-alive connections.
// It keeps nothing, retries nothing and prints nothing.
import { io } from "socket.io-client";
import { sender } from "./sender.mjs";

const [socketUrl, token, webhookUrl, secret, parallel] = process.argv.slice(2);
const send = sender(webhookUrl, secret, Number(parallel));
const socket = io(socketUrl, { transports: ["websocket"], query: { token } });

const waiting = [];
let under_way = 0;

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
  waiting.push({ event, payload, meta: { socketId: socket.id } });
  next();
});
