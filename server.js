// The queen's program: one HTTP server around the built SvelteKit handler, and the order in which it starts and stops.
import { createServer } from "node:http";
import { usePackagedNode } from "./scripts/packaged-node.js";

await usePackagedNode(import.meta.url);

/**
 * What the built queen publishes once she is made; see src/lib/server/queen.ts.
 * @typedef {object} Runtime
 * @property {{ host: string, port: number }} settings
 * @property {(...exchange: Parameters<Handler>) => boolean} front
 * @property {import("pino").Logger} log
 * @property {(address: { host: string, port: number }) => Promise<{ text: string }>} listening
 * @property {() => Promise<void>} stop
 */
/** @typedef {import("node:http").RequestListener} Handler */

/** How long open connections may delay the end once every stream was closed. */
const connectionsEndWithinMs = 500;
/** Longer than the queen ever needs to stop; after it something hangs and the process ends anyway. */
const stopsWithinMs = 15_000;

/**
 * Ends the process with what a person can use: one line for a mistake in the set-up, everything for a fault of ours.
 * @param {unknown} error
 * @returns {never}
 */
function fail(error) {
  const expected = error instanceof Error && ["StartError", "SettingsError"].includes(error.name);
  const text = expected ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

/** @param {string | undefined} address */
const isLoopback = (address) => address !== undefined && /^(?:::ffff:)?127\.|^::1$/u.test(address);

// adapter-node takes every request for https unless a header says otherwise, and believes that header. Only a proxy
// on this machine may say so.
process.env["PROTOCOL_HEADER"] = "x-forwarded-proto";
// As in src/lib/server/api/front.ts.
process.env["BODY_SIZE_LIMIT"] = "64M";
for (const name of ["HOST_HEADER", "PORT_HEADER", "ADDRESS_HEADER"]) Reflect.deleteProperty(process.env, name);

/** @type {{ handler: Handler }} */
const { handler } = await import(new URL("./build/handler.js", import.meta.url).href).catch(fail);
/** @type {Runtime} */
const queen = Reflect.get(globalThis, Symbol.for("rbee.queen"));

const server = createServer((request, response) => {
  if (queen.front(request, response)) return;
  const forwarded = isLoopback(request.socket.remoteAddress) ? request.headers["x-forwarded-proto"] : undefined;
  request.headers["x-forwarded-proto"] = forwarded === "https" ? "https" : "http";
  handler(request, response);
});
// For receiving a request, not for answering it. The API's own limit is shorter, and says so in an error.
server.requestTimeout = 10 * 60_000;
server.keepAliveTimeout = 15_000;

let stopping = false;
/** @param {number} code */
async function stop(code) {
  if (stopping) return;
  stopping = true;
  setTimeout(() => process.exit(1), stopsWithinMs).unref();
  const closed = new Promise((resolve) => server.close(resolve));
  setTimeout(() => server.closeAllConnections(), connectionsEndWithinMs).unref();
  await queen.stop();
  server.closeIdleConnections();
  await closed;
  process.exit(code);
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => void stop(0));

// One answer that broke in an unforeseen way must not end everybody else's.
process.on("unhandledRejection", (reason) => queen.log.error({ err: reason }, "a failure was not handled"));
process.on("uncaughtException", (error) => {
  queen.log.fatal({ err: error }, "the queen ends: an error was not handled");
  process.stderr.write(`${error.stack ?? error.message}\n`);
  void stop(1);
});

const { host, port } = queen.settings;
server.once("error", async (/** @type {NodeJS.ErrnoException} */ error) => {
  await queen.stop();
  const why = {
    EADDRINUSE: `Port ${port} is taken by another program; set RBEE_PORT to a free one.`,
    EACCES: `Port ${port} needs more rights than this user has; set RBEE_PORT to one above 1023.`,
    EADDRNOTAVAIL: `This machine has no address ${host}; set RBEE_HOST to one of its own.`,
  }[error.code ?? ""];
  process.stderr.write(`${why ?? `The queen cannot listen on ${host}:${port}: ${error.message}`}\n`);
  process.exit(1);
});
server.listen({ host, port }, async () => {
  const address = server.address();
  const actual = address !== null && typeof address === "object" ? address.port : port;
  try {
    const { text, ...report } = await queen.listening({ host, port: actual });
    process.stdout.write(process.env["RBEE_UP_JSON"] === "true" ? `${JSON.stringify(report)}\n` : text);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    await stop(1);
  }
});
