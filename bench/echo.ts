// Sends back every byte that it gets: node echo.ts SOCKET_PATH.
import { createServer } from "node:net";

createServer((client) => client.pipe(client).on("error", () => client.destroy())).listen(process.argv[2], () =>
  process.send?.("listening"),
);
