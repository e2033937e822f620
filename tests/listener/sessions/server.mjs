// The reference server of Socket.IO, with commands for a test: `node server.mjs SECONDS`.
// SECONDS is for how long a session is kept; 0 if none is. It listens on loopback only.
import { createServer } from "node:http";
import { Server } from "socket.io";

const seconds = Number(process.argv[2]);
const http = createServer(command);
const io = new Server(http, {
  connectionStateRecovery: seconds ? { maxDisconnectionDuration: seconds * 1000 } : undefined,
});
let recovered = 0;

io.use((socket, next) => {
  const known = socket.handshake.query.token === "canary-token-of-the-reference";
  next(known ? undefined : new Error("Authentication error"));
});
io.on("connection", (socket) => {
  recovered += Number(socket.recovered);
  socket.join("company");
});

const commands = {
  // Each tenth event is the same text, byte for byte.
  emit: ({ first, count }) => {
    for (let number = first; number < first + count; number++) {
      io.to("company").emit("x", number % 10 ? { number } : { agent: 7 });
    }
  },
  // As a cable that breaks: no packet and no closing frame.
  drop: () => io.of("/").sockets.forEach((socket) => socket.conn.transport.socket._socket.destroy()),
  // Closes the connections below Socket.IO, as a server does that ends.
  close: () => io.of("/").sockets.forEach((socket) => socket.conn.close()),
  kick: () => io.disconnectSockets(),
  state: () => undefined,
};

async function command(request, response) {
  let body = "";
  for await (const piece of request) body += piece;
  commands[request.url.slice(1)](JSON.parse(body || "{}"));
  response.end(JSON.stringify({ sockets: io.of("/").sockets.size, recovered }));
}

http.listen(0, "127.0.0.1", () => console.log(`listening on ${http.address().port}`));
