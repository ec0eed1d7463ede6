// `npm run dev [-- flags]`: the queen from source, rebuilt in place as files change; hives and workers are built first.
import { script } from "./prepare/command.js";
import { ensureInstalled } from "./prepare/install.js";
import { usePackagedNode } from "./packaged-node.js";

/** What the queen publishes once she has been made; see src/lib/server/queen.ts.
 * @typedef {object} Runtime
 * @property {(address: { host: string; port: number }) => Promise<{ text: string }>} listening
 * @property {() => Promise<void>} stop
 * @property {(request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse) => boolean} front
 */

/** @returns {Runtime | undefined} */
const runtime = () => Reflect.get(globalThis, Symbol.for("rbee.queen"));

/** As in server.js, heartbeats are taken in front of SvelteKit, whose development server would show each of them.
 * @type {import("vite").Plugin} */
const heartbeats = {
  name: "rbee-heartbeats",
  configureServer: ({ middlewares }) => {
    middlewares.use((request, response, next) => {
      const current = runtime();
      if (request.method === "POST" && request.url === "/v1/hive-heartbeat" && current !== undefined)
        current.front(request, response);
      else next();
    });
  },
};

await script(async () => {
  await ensureInstalled();
  await usePackagedNode(import.meta.url);
  const { applyFlags } = await import("./prepare/flags.js");
  if (!(await applyFlags(process.argv.slice(2)))) return;
  const { buildStale } = await import("./prepare/build.js");
  await buildStale({ only: ["worker", "hive", "cli"] });

  const { loadSettings, queenSettings } = await import("../packages/settings/src/index.ts");
  const { port, host } = loadSettings(queenSettings).values;
  const { createServer } = await import("vite");
  const vite = await createServer({
    server: { port, host, strictPort: true },
    clearScreen: false,
    plugins: [heartbeats],
  });
  await vite.listen();

  /** @type {Runtime | undefined} */
  let known;
  // SvelteKit makes the queen at the first request, and another one after each change on the server side.
  const watch = setInterval(() => {
    const current = runtime();
    if (current === undefined || current === known) return;
    known = current;
    current.listening({ host, port }).then(
      ({ text }) => process.stdout.write(text),
      (/** @type {unknown} */ error) => process.stderr.write(`${String(error)}\n`),
    );
  }, 200);
  const loopback = `http://127.0.0.1:${port}/health`;
  await fetch(loopback).catch(() => undefined);

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    clearInterval(watch);
    await runtime()?.stop();
    await vite.close();
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => void stop());
});
