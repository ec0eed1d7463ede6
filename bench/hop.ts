// One process hop that does nothing but copy bytes: node hop.ts LISTEN_PORT TARGET, a port or a socket's path.
import { connect, createServer, type Socket } from "node:net";

const [listen = "0", target = ""] = process.argv.slice(2);
const to = /^\d+$/u.test(target) ? { host: "127.0.0.1", port: Number(target) } : { path: target };

createServer({ noDelay: true }, (client: Socket) => {
  const server = connect({ ...to, noDelay: true });
  client.pipe(server).pipe(client);
  client.on("error", () => server.destroy());
  server.on("error", () => client.destroy());
}).listen(Number(listen), "127.0.0.1", () => process.send?.("listening"));
