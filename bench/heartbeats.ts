import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Agent, request } from "undici";
import type { Capabilities, Heartbeat } from "@rbee/contract";
import { startHousehold } from "../tests/support/household.ts";
import { waitFor } from "../tests/support/wait-for.ts";
import { cpuSeconds } from "./machine.ts";
import { percentile } from "./statistics.ts";

export interface HeartbeatResult {
  readonly hives: number;
  readonly seconds: number;
  readonly answered: number;
  readonly failed: number;
  /** Share of one core that the queen used meanwhile. */
  readonly coreShare: number;
  readonly p99Ms: number;
}

/** One server that answers the queen's question for all simulated hives, told apart by their tokens. */
async function answerCapabilities(hiveOf: ReadonlyMap<string, string>): Promise<Server> {
  const server = createServer((incoming, response) => {
    const answer: Capabilities = {
      hive_id: hiveOf.get(incoming.headers.authorization?.slice("Bearer ".length) ?? "") ?? "hive:unknown",
      name: "simulated",
      version: "0.1.0",
      build: null,
      os: "linux",
      arch: "x64",
      cpu: { model: null, cores: 4, threads: 8 },
      ram_total_mb: 16_000,
      disk_free_mb: null,
      backends: ["cpu"],
      devices: [],
      engines: [],
      engine_facts: [],
      models: [],
      capabilities_rev: "bench",
    };
    response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

const body = (hiveId: string, seq: number, port: number): Heartbeat => ({
  hive_id: hiveId,
  ts: Date.now(),
  seq,
  version: "0.1.0",
  port,
  capabilities_rev: "bench",
  node: {
    cpu_pct: 12.5,
    ram_used_mb: 4000,
    ram_total_mb: 16_000,
    load1: 0.4,
    gpus: [
      {
        id: "cuda:0",
        name: "NVIDIA RTX 3060",
        util_pct: 3,
        vram_used_mb: 900,
        vram_total_mb: 12_288,
        temp_c: 41,
        power_w: 20,
      },
    ],
  },
  workers: [],
});

/** Simulated hives report to a real queen once a second for `seconds`, after she has asked each what it is. */
export async function benchHeartbeats({ hives = 1000, seconds = 20 } = {}): Promise<HeartbeatResult> {
  const household = await startHousehold({ localHive: false, env: { RBEE_LOG_LEVEL: "error" } });
  const hiveOf = new Map<string, string>();
  const capabilities = await answerCapabilities(hiveOf);
  const { port } = capabilities.address() as AddressInfo;
  const agent = new Agent({ connections: hives, keepAliveTimeout: 30_000 });
  try {
    const { token } = await household.admin.createJoinToken({ body: { uses: 100 } });
    let joinToken = token;
    const members: { id: string; token: string; seq: number }[] = [];
    for (let n = 0; n < hives; n += 1) {
      if (n > 0 && n % 100 === 0) joinToken = (await household.admin.createJoinToken({ body: { uses: 100 } })).token;
      const member = { id: `hive:${randomUUID()}`, token: randomBytes(32).toString("base64url"), seq: 0 };
      await household.client().enrollHive({
        body: {
          join_token: joinToken,
          hive_id: member.id,
          hive_token: member.token,
          name: `simulated ${n}`,
          version: "0.1.0",
          api_version: "v1",
          port,
        },
      });
      members.push(member);
      hiveOf.set(member.token, member.id);
    }
    const latencies: number[] = [];
    let failed = 0;
    const beat = async (member: (typeof members)[number]) => {
      const started = performance.now();
      const response = await request(`${household.url}/v1/hive-heartbeat`, {
        method: "POST",
        dispatcher: agent,
        headers: { authorization: `Bearer ${member.token}`, "content-type": "application/json" },
        body: JSON.stringify(body(member.id, member.seq++, port)),
      });
      await response.body.dump();
      if (response.statusCode === 200) latencies.push(performance.now() - started);
      else failed += 1;
    };
    const second = async () => {
      const ends = members.map(
        (member, n) =>
          new Promise<void>((resolve, reject) =>
            setTimeout(() => beat(member).then(resolve, reject), (n * 1000) / hives),
          ),
      );
      await Promise.all([...ends, new Promise((resolve) => setTimeout(resolve, 1000))]);
    };
    await second();
    await waitFor(
      "the queen's knowing every hive",
      async () => {
        await second();
        return (await household.fleet()).hives.every((hive) => hive.capabilities !== null);
      },
      { limitMs: 30_000 },
    );
    latencies.length = 0;
    failed = 0;
    const [cpuBefore, started] = [cpuSeconds(household.queen.pid), performance.now()];
    for (let n = 0; n < seconds; n += 1) await second();
    const elapsed = (performance.now() - started) / 1000;
    const coreShare = (cpuSeconds(household.queen.pid) - cpuBefore) / elapsed;
    return { hives, seconds, answered: latencies.length, failed, coreShare, p99Ms: percentile(latencies, 0.99) };
  } finally {
    await agent.close();
    capabilities.close();
    capabilities.closeAllConnections();
    await household.stop();
  }
}
