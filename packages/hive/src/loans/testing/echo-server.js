// Stands in for ggml-rpc-server: takes its arguments, says what it says, and answers each byte with itself.
import { createServer } from "node:net";

/** @param {string} name */
const argument = (name) => process.argv[process.argv.indexOf(name) + 1];

createServer((socket) => {
  process.stdout.write("Accepted client connection\n");
  socket.on("error", () => {});
  socket.pipe(socket);
}).listen({ host: argument("--host"), port: Number(argument("--port")) });
