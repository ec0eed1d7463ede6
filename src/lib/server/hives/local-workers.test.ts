import { once } from "node:events";
import { createServer } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RbeeError } from "@rbee/contract";
import { request } from "undici";
import { describe, expect, it, onTestFinished } from "vitest";
import { createLocalWorkers } from "./local-workers.ts";

const worker_id = "worker:000000000001";
const serves = (socket_path: string) => ({ type: "worker_serves", worker_id, socket_path }) as const;
const left = (error: RbeeError | null) =>
  ({ type: "worker_left", worker_id, error: error?.toBody().error ?? null }) as const;
const crash = new RbeeError("worker_crashed", "It ran out of memory.");

/** A server at a Unix socket that says its name. */
async function serverAt(says: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "rbee-local-workers-"));
  const path = join(folder, "worker.sock");
  const server = createServer((_, response) => response.end(says));
  server.listen(path);
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return path;
}

describe("workers of the queen's own machine", () => {
  it("are spoken to at the socket that their hive names, until it says that they left", async () => {
    const workers = createLocalWorkers();
    expect(workers.connections(worker_id)).toBeUndefined();
    workers.hear(serves(await serverAt("one")));
    const ask = async () => {
      const dispatcher = workers.connections(worker_id);
      if (dispatcher === undefined) return undefined;
      return (await request("http://worker/", { dispatcher })).body.text();
    };
    expect(await ask()).toBe("one");
    workers.hear(left(crash));
    expect(await ask()).toBeUndefined();
    workers.hear(serves(await serverAt("two")));
    expect(await ask()).toBe("two");
  });

  it("finish what they are answering when they leave", async () => {
    const workers = createLocalWorkers();
    workers.hear(serves(await serverAt("a whole answer")));
    const dispatcher = workers.connections(worker_id);
    const { body } = await request("http://worker/", { ...(dispatcher && { dispatcher }) });
    workers.hear(left(null));
    expect(await body.text()).toBe("a whole answer");
  });

  it("died of what their hive says, a moment later too; of the last ones it is known for long", async () => {
    const workers = createLocalWorkers();
    expect(await workers.diedOf(worker_id)).toBeNull();
    workers.hear(serves(await serverAt("")));
    const asked = workers.diedOf(worker_id);
    workers.hear(left(crash));
    expect(await asked).toMatchObject({ code: "worker_crashed", message: "It ran out of memory." });
    expect(await workers.diedOf(worker_id)).toMatchObject({ message: "It ran out of memory." });
    workers.hear(serves(await serverAt("")));
    expect(await workers.diedOf(worker_id)).toBeNull();
  });

  it("left with their hive when its process ended", async () => {
    const workers = createLocalWorkers();
    workers.hear(serves(await serverAt("")));
    workers.hiveEnded();
    expect(workers.connections(worker_id)).toBeUndefined();
    expect(await workers.diedOf(worker_id)).toMatchObject({ code: "hive_unreachable" });
  });
});
