import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { apiVersion, type Capabilities } from "@rbee/contract";
import type { Household } from "./household.ts";

export type Behaviour = (request: IncomingMessage, response: ServerResponse) => void;

/** A small real server that joined a household as a hive, reports as one, and answers as a test wants. */
export interface FakeHive {
  readonly hiveId: string;
  readonly name: string;
  /** How it answers `GET /capabilities`; as the hive whose capabilities it was given, unless set. */
  capabilities: Behaviour | null;
  /** How it answers everything else. */
  answer: Behaviour;
  /** Stops listening; its heartbeats go on. */
  stopListening(): Promise<void>;
  stop(): Promise<void>;
}

const json = (response: ServerResponse, status: number, value: unknown) =>
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));

/**
 * Joins a household with a hive that says that it has a ready worker of bee-tiny.
 * @param like capabilities of a real hive, told as its own
 */
export async function joinFakeHive(household: Household, name: string, like: Capabilities): Promise<FakeHive> {
  const hiveId = `hive:${randomUUID()}`;
  const token = randomBytes(32).toString("base64url");
  const server = createServer((request, response) => {
    if (!request.url?.startsWith("/capabilities")) hive.answer(request, response);
    else if (hive.capabilities !== null) hive.capabilities(request, response);
    else json(response, 200, { ...like, hive_id: hiveId, name });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  let listening = true;
  const stopListening = async () => {
    if (!listening) return;
    listening = false;
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };

  const { token: joinToken } = await household.admin.createJoinToken({ body: {} });
  await household.client().enrollHive({
    body: {
      ...{ join_token: joinToken, hive_id: hiveId, hive_token: token },
      ...{ name, version: like.version, api_version: apiVersion, port },
    },
  });
  let seq = 0;
  const beat = () => {
    seq += 1;
    return household.client(token).heartbeat({
      body: {
        ...{ hive_id: hiveId, ts: Date.now(), seq, version: like.version, port },
        capabilities_rev: like.capabilities_rev,
        node: { cpu_pct: 1, ram_used_mb: 1_000, ram_total_mb: 16_000, load1: 0, gpus: [] },
        workers: [
          {
            ...{ worker_id: "worker:fake", model: "bee-tiny", engine: "node-llama-cpp", backend: "cpu", device: "cpu" },
            ...{ state: "ready", pid: null, cpu_pct: null, rss_mb: null, vram_mb: null, uptime_s: 1 },
            ...{ load_progress: null, slots_total: 4, slots_busy: 0, tokens_per_s: 0, idle_s: 1 },
          },
        ],
      },
    });
  };
  const beating = setInterval(() => void beat().catch(() => {}), 1_000);
  const hive: FakeHive = {
    hiveId,
    name,
    capabilities: null,
    answer: (_, response) => json(response, 404, {}),
    stopListening,
    async stop() {
      clearInterval(beating);
      await stopListening();
      await household.admin.removeHive({ params: { id: hiveId } });
    },
  };
  await beat();
  return hive;
}
