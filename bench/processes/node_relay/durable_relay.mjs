// node durable_relay.mjs SOCKET_URL TOKEN WEBHOOK_URL SECRET PARALLEL FSYNC FOLDER: the relay of a good
// Node developer who must not lose an event. Each event is a job of BullMQ before it is sent, and the
// job ends with a 2xx; any other answer is tried again. PARALLEL jobs run at a time.
// Redis is a child of this process, so that both are measured together. It has its append-only file
// in FOLDER, written through as FSYNC says (Redis' `appendfsync`), and listens on a Unix socket there.
import { spawn } from "node:child_process";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { io } from "socket.io-client";
import { sender } from "./sender.mjs";

const [socketUrl, token, webhookUrl, secret, parallel, fsync, folder] = process.argv.slice(2);
// The path of a Unix socket must be short: it is relative.
process.chdir(folder);
const options = {
  port: 0,
  unixsocket: "redis.sock",
  appendonly: "yes",
  appendfsync: fsync,
  save: "",
  loglevel: "warning",
};
const redis = spawn(
  "redis-server",
  Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
  { stdio: ["ignore", "inherit", "inherit"] },
);
redis.on("exit", (code) => process.exit(code ?? 1));
process.on("SIGTERM", () => redis.kill());

const connection = new Redis({ path: "redis.sock", maxRetriesPerRequest: null });
await new Promise((ready) => connection.once("ready", ready));

const queue = new Queue("events", {
  connection,
  defaultJobOptions: {
    attempts: 10,
    backoff: { type: "exponential", delay: 1000 },
    removeOnComplete: true,
  },
});
const send = sender(webhookUrl, secret, Number(parallel));

async function work(job) {
  const status = await send(job.data);
  if (status < 200 || status > 299) throw new Error(`the receiver answered ${status}`);
}

const worker = new Worker("events", work, { connection, concurrency: Number(parallel) });
worker.on("error", console.error);
await worker.waitUntilReady();

const socket = io(socketUrl, { transports: ["websocket"], query: { token } });
socket.onAny((event, payload) => {
  queue.add(event, { event, payload, meta: { socketId: socket.id } });
});
