import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import {
  RbeeError,
  streamErrorEvent,
  type ChatRequest,
  type HealthTransition,
  type WorkerState,
  type WorkerTelemetry,
} from "@rbee/contract";
import { describe, expect, it, onTestFinished } from "vitest";
import { createHives } from "#lib/server/hives/index.ts";
import { createModels } from "#lib/server/models/index.ts";
import { fetchThrough, hiveAgent } from "#lib/server/network/index.ts";
import { createVault } from "#lib/server/secrets/index.ts";
import {
  capabilities,
  eventually,
  heartbeat,
  hiveModel,
  newHiveId,
  newHiveToken,
  person,
  silentLog,
  temporaryDatabase,
} from "#lib/server/testing/index.ts";
import type { UsageEntry } from "#lib/server/usage/index.ts";
import { createInference } from "./inference.ts";

type ChatHandler = (request: IncomingMessage, response: ServerResponse, workerId: string) => void;

const timings = {
  cache_n: 2,
  prompt_n: 3,
  prompt_ms: 1,
  prompt_per_second: 1,
  predicted_n: 4,
  predicted_ms: 1,
  predicted_per_second: 1,
};
const sse = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const token = (content: string) => sse({ choices: [{ delta: { content } }] });
const good = `${token("Hel")}${token("lo")}${sse({ choices: [{ delta: {} }], timings })}data: [DONE]\n\n`;
const begin = (response: ServerResponse) => response.writeHead(200, { "content-type": "text/event-stream" });
const answerWell: ChatHandler = (_, response) => void begin(response).end(good);
const refuseWith =
  (code: "worker_crashed" | "context_length_exceeded"): ChatHandler =>
  (_, response) => {
    const error = new RbeeError(code, "no");
    response.writeHead(error.status, error.headers()).end(JSON.stringify(error.toBody()));
  };

/** A small real hive: it spawns workers that are ready when the test says so, and answers chats as the test says. */
async function startHive(parks: boolean) {
  const hiveId = newHiveId();
  const state = {
    spawned: 0,
    workerState: "ready" as WorkerState,
    chats: [] as ChatHandler[],
    aborted: 0,
    asked: [] as string[],
  };
  const worker = (id: string) => ({
    worker_id: id,
    model: "bee",
    engine: "node-llama-cpp",
    backend: "cpu",
    device: "cpu",
    state: state.workerState,
    pid: 1,
    load_progress: null,
    context_length: 512,
    slots_total: 4,
    slots_busy: 0,
    queued: 0,
    started_at: 0,
    ready_at: null,
    restarts: 0,
    error: null,
  });
  const json = (response: ServerResponse, status: number, value: unknown) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://hive");
    const [, , , id = "", ...rest] = decodeURIComponent(url.pathname).split("/");
    request.resume();
    if (url.pathname === "/capabilities")
      json(response, 200, { ...capabilities(hiveId, [hiveModel("bee")]), parks_conversations: parks });
    else if (request.method === "POST" && id === "") json(response, 202, worker(`worker:${++state.spawned}`));
    else if (rest.length === 0) {
      const answer = () => json(response, 200, worker(id));
      if (state.workerState === "ready") answer();
      else setTimeout(answer, 20);
    } else {
      state.asked.push(id);
      response.on("close", () => {
        if (!response.writableEnded) state.aborted++;
      });
      (state.chats.shift() ?? answerWell)(request, response, id);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return { hiveId, state, server, port: typeof address === "object" && address !== null ? address.port : 0 };
}

async function household(
  options: {
    loadWaitMs?: number;
    queueLimit?: number;
    stallMs?: number;
    externalLimitMs?: number;
    parks?: boolean;
  } = {},
) {
  const hive = await startHive(options.parks ?? false);
  const agent = hiveAgent();
  const usage: UsageEntry[] = [];
  const db = temporaryDatabase();
  const hives = createHives({
    db,
    vault: createVault(Buffer.alloc(32)),
    fetch: fetchThrough(agent),
    log: silentLog,
    now: () => Date.now(),
    discoveryDelayMs: 1e6,
    queen: { version: "0", started_at: 0, household: "Home" },
    requests: () => inference.requests(),
    jobsRunning: () => 0,
    namesOf: () => ({ aliases: [], pinned: false }),
    advertisedUrl: () => Promise.resolve(null),
    local: undefined,
  });
  const listeners: ((transition: HealthTransition) => void)[] = [];
  const models = createModels({ db, hives, log: silentLog });
  const inference = createInference({
    models,
    hives: {
      ...hives,
      onTransition: (listener) => {
        listeners.push(listener);
        return () => {};
      },
    },
    agent,
    log: silentLog,
    now: () => Date.now(),
    loadWaitMs: options.loadWaitMs ?? 5_000,
    queueLimit: options.queueLimit ?? 100,
    ...(options.stallMs === undefined ? {} : { stallMs: options.stallMs }),
    ...(options.externalLimitMs === undefined ? {} : { externalLimitMs: options.externalLimitMs }),
    keyName: () => "laptop",
    parkingKey: (userId) => `key of ${userId}`,
    record: (entry) => usage.push(entry),
  });
  onTestFinished(async () => {
    await hives.stop();
    await agent.destroy();
  });
  const secret = newHiveToken();
  const { token: joinToken } = hives.joinTokens.create({ uses: 1, expires_in_s: 60 }, "http://queen");
  const { hiveId, port } = hive;
  const joining = {
    join_token: joinToken,
    hive_id: hiveId,
    hive_token: secret,
    name: "attic",
    version: "0",
    api_version: "v1",
  };
  await hives.enroll({ ...joining, port }, "127.0.0.1");
  const beat = (workers: WorkerTelemetry[] = []) => {
    hives.heartbeat(heartbeat(hiveId, { port, workers }), secret, "127.0.0.1");
  };
  beat();
  await eventually(() => inference.models(person()).data.length > 0);
  const client = new AbortController();
  const ann = person("member");
  const chat = async (change: Partial<ChatRequest> = {}, signal = client.signal, requestId = `r${Math.random()}`) => {
    const answer = await inference.chat(
      ann,
      { model: "bee", messages: [{ role: "user", content: "Hi" }], stream: true, ...change },
      { requestId, lane: "interactive", signal },
    );
    return answer.toResponse();
  };
  /** As when no heartbeat has come for ten seconds. */
  const hiveGoesDown = () => {
    for (const listener of listeners) listener({ ts: 0, hive_id: hiveId, name: "attic", from: "degraded", to: "down" });
  };
  return { hive, hives, models, inference, usage, client, ann, chat, beat, hiveGoesDown };
}

const textOf = async (answer: Promise<Response>) => (await answer).text();
const codeOf = (answer: Promise<unknown>) =>
  answer.then(
    () => "answered",
    (error: unknown) => (error instanceof RbeeError ? error.code : error),
  );

describe("a chat", () => {
  it("loads its model on demand, passes the stream on byte by byte and is metered", async () => {
    const { chat, usage, hive } = await household();
    expect(await textOf(chat())).toBe(good);
    expect(hive.state.spawned).toBe(1);
    expect(usage).toMatchObject([
      { status: 200, prompt_tokens: 5, cached_tokens: 2, completion_tokens: 4, hive_id: hive.hiveId, error_code: null },
    ]);
    expect(usage[0]?.time_to_first_token_ms).toBeGreaterThan(0);
  });

  it("takes its person's parking key along, to a hive that parks conversations", async () => {
    for (const parks of [true, false]) {
      const { chat, hive, ann } = await household({ parks });
      const keys: unknown[] = [];
      hive.state.chats.push((request, response, id) => {
        keys.push(request.headers["x-rbee-parking-key"]);
        answerWell(request, response, id);
      });
      await textOf(chat());
      expect(keys).toEqual([parks ? `key of ${ann.user.id}` : undefined]);
    }
  });

  it("shares one load with every other that comes meanwhile, and with those right after", async () => {
    const { chat, hive, inference } = await household();
    hive.state.workerState = "loading";
    const many = Array.from({ length: 16 }, () => textOf(chat()));
    await eventually(() => hive.state.spawned === 1 && inference.requests().waiting === 16);
    hive.state.workerState = "ready";
    expect(new Set(await Promise.all(many))).toEqual(new Set([good]));
    expect(await textOf(chat())).toBe(good);
    expect(hive.state.spawned).toBe(1);
    expect(inference.requests()).toEqual({ running: 0, waiting: 0 });
  });

  it("that waits too long for its model is told when to come back, and the load goes on", async () => {
    const { chat, hive, usage } = await household({ loadWaitMs: 50 });
    hive.state.workerState = "loading";
    await expect(chat()).rejects.toMatchObject({ code: "model_loading", retryAfterS: 5 });
    expect(usage).toMatchObject([{ status: 503, error_code: "model_loading" }]);
    hive.state.workerState = "ready";
    await eventually(() => hive.state.spawned === 1);
    expect(await textOf(chat())).toBe(good);
    expect(hive.state.spawned).toBe(1);
  });

  it("for a model that nobody has names those that exist", async () => {
    const { chat } = await household();
    await expect(chat({ model: "wasp" })).rejects.toMatchObject({
      code: "model_not_found",
      param: "model",
      details: { models: ["bee"] },
    });
  });

  it("keeps the worker's own error", async () => {
    const { chat, hive, usage } = await household();
    hive.state.chats = [refuseWith("context_length_exceeded")];
    expect(await codeOf(chat())).toBe("context_length_exceeded");
    expect(usage).toMatchObject([{ status: 400, error_code: "context_length_exceeded" }]);
  });

  it("is asked once more when its worker fails before a byte has come, and not a third time", async () => {
    const { chat, hive } = await household();
    const cut: ChatHandler = (_, response) => response.destroy();
    const silent: ChatHandler = (_, response) => void begin(response).end();
    const early: ChatHandler = (_, response) =>
      void begin(response).end(`\n\n${streamErrorEvent(new RbeeError("worker_crashed", "gone"))}`);
    for (const failure of [cut, silent, early, refuseWith("worker_crashed")]) {
      hive.state.chats = [failure];
      expect(await textOf(chat())).toBe(good);
    }
    hive.state.chats = [cut, cut];
    expect(await codeOf(chat())).toBe("hive_unreachable");
  });

  it("ends with an error event and without [DONE] when the hive is cut off in the middle", async () => {
    const { chat, hive, usage } = await household();
    hive.state.chats = [
      (_, response) => void begin(response).write(`${token("Hel")}data: {"half`, () => response.destroy()),
    ];
    const text = await textOf(chat());
    expect(text).toContain(token("Hel"));
    expect(text).toMatch(/\n\ndata: \{"error":.*"code":"hive_unreachable".*\}\n\n$/u);
    expect(text).not.toContain("[DONE]");
    expect(usage).toMatchObject([{ status: 503, error_code: "hive_unreachable" }]);
  });

  it("that is cancelled by its id ends with an error event, frees its slot, and is recorded with what had come", async () => {
    const { chat, hive, usage, inference, ann } = await household();
    hive.state.chats = [(_, response) => void begin(response).write(`: prompt 3+4\n\n${token("Hel")}${token("lo")}`)];
    const answer = await chat({}, undefined, "mine");
    expect(() => {
      inference.cancel(person("member"), "mine");
    }).toThrow("somebody else's");
    const reader = answer.body?.getReader();
    await reader?.read();
    inference.cancel(ann, "mine");
    const rest = Buffer.from((await reader?.read())?.value ?? []).toString();
    expect(rest).toMatch(/^\n\ndata: \{"error":.*"code":"request_cancelled".*\}\n\n$/u);
    await eventually(() => hive.state.aborted === 1);
    expect(inference.requests()).toEqual({ running: 0, waiting: 0 });
    expect(usage).toMatchObject([
      { status: 499, error_code: "request_cancelled", prompt_tokens: 7, cached_tokens: 3, completion_tokens: 2 },
    ]);
    inference.cancel(ann, "mine");
    inference.cancel(ann, "never was");
  });

  it("that still waits for its model is cancelled as well", async () => {
    const { chat, hive, inference } = await household();
    hive.state.workerState = "loading";
    const answer = chat({}, undefined, "waiting");
    await eventually(() => inference.requests().waiting === 1);
    inference.cancel(person("admin"), "waiting");
    expect(await codeOf(answer)).toBe("request_cancelled");
    expect(inference.requests().waiting).toBe(0);
  });

  it("passes the hive's error event on once, and adds one to a stream that just ends", async () => {
    const { chat, hive, usage } = await household();
    const event = streamErrorEvent(new RbeeError("worker_crashed", "gone"));
    hive.state.chats = [
      (_, response) =>
        void begin(response).write(token("Hel"), () => setTimeout(() => response.end(`\n\n${event}`), 5)),
      (_, response) => void begin(response).write(token("Hel"), () => setTimeout(() => response.end(), 5)),
    ];
    for (let n = 0; n < 2; n++) expect((await textOf(chat())).match(/worker_crashed/gu)).toHaveLength(1);
    expect(usage.map((row) => row.error_code)).toEqual(["worker_crashed", "worker_crashed"]);
  });

  it("whose client leaves frees the worker, whether the stream is cancelled or the request aborted", async () => {
    const { chat, client, hive, usage, inference } = await household();
    const endless: ChatHandler = (_, response) => void begin(response).write(token("Hel"));
    hive.state.chats = [endless, endless];
    await (await chat()).body?.cancel();
    await eventually(() => hive.state.aborted === 1);
    const reader = (await chat()).body?.getReader();
    await reader?.read();
    client.abort();
    await eventually(() => hive.state.aborted === 2);
    expect(inference.requests()).toEqual({ running: 0, waiting: 0 });
    expect(usage.map((row) => row.status)).toEqual([499, 499]);
  });

  it("answered whole is metered too", async () => {
    const { chat, hive, usage } = await household();
    const body = JSON.stringify({ choices: [], timings });
    hive.state.chats = [(_, response) => void response.writeHead(200).end(body)];
    expect(await textOf(chat({ stream: false }))).toBe(body);
    expect(usage).toMatchObject([{ status: 200, completion_tokens: 4 }]);
  });

  it("does not wait for a hive that goes down before a byte has come, whole or as a stream", async () => {
    const { chat, hive, usage, hiveGoesDown, inference } = await household();
    const mute: ChatHandler = () => {};
    for (const stream of [false, true]) {
      const asked = hive.state.asked.length;
      hive.state.chats = [mute, mute];
      const code = codeOf(chat({ stream }));
      await eventually(() => hive.state.asked.length === asked + 1);
      hiveGoesDown();
      await eventually(() => hive.state.asked.length === asked + 2);
      hiveGoesDown();
      expect(await code).toBe("hive_down");
    }
    await eventually(() => hive.state.aborted === 4);
    expect(usage.map((row) => row.error_code)).toEqual(["hive_down", "hive_down"]);
    expect(inference.requests()).toEqual({ running: 0, waiting: 0 });
  });

  it("answered whole does not wait for a worker that has nothing to do", async () => {
    const { chat, hive, usage } = await household({ stallMs: 50 });
    hive.state.chats = [() => {}];
    expect(await codeOf(chat({ stream: false }))).toBe("worker_stalled");
    await eventually(() => hive.state.aborted === 1);
    expect(usage).toMatchObject([{ status: 500, error_code: "worker_stalled" }]);
  });

  it("says which machine answered, and under which id its worker knows it", async () => {
    const { chat, hive } = await household();
    let id: string | string[] | undefined;
    hive.state.chats = [
      (request, response) => {
        id = request.headers["x-request-id"];
        begin(response).end(good);
      },
    ];
    const { headers } = await chat();
    expect(headers.get("x-rbee-hive")).toBe("attic");
    expect(headers.get("x-request-id")).toBe(id);
  });

  it("is ended in order when the queen stops", async () => {
    const { chat, hive, inference } = await household();
    hive.state.chats = [(_, response) => void begin(response).write(token("Hel"))];
    const answer = await chat();
    inference.closeStreams();
    expect(await answer.text()).toContain('"code":"overloaded"');
    expect(await codeOf(chat())).toBe("overloaded");
  });

  it("does not read ahead of a client that is slow", async () => {
    const { chat, hive } = await household();
    let written = 0;
    hive.state.chats = [
      (_, response) => {
        begin(response);
        const more = () => {
          while (written < 1_500 && response.write(token("x".repeat(10_000)))) written++;
          if (written < 1_500) response.once("drain", more);
          else response.end("data: [DONE]\n\n");
        };
        more();
      },
    ];
    const answer = await chat();
    let before = -1;
    await eventually(() => {
      const still = written > 0 && written === before;
      before = written;
      return still;
    });
    expect(written).toBeLessThan(1_400);
    const text = await answer.text();
    expect(text.match(/"content"/gu)?.length).toBeGreaterThanOrEqual(1_500);
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  });
});

describe("more requests than slots", () => {
  const admin = person("admin");

  it("waits in the queen, in view, and is served when a slot becomes free", async () => {
    const { hive, inference, chat } = await household();
    const held: (() => void)[] = [];
    const hold: ChatHandler = (_, response) => {
      begin(response).write(token("I"));
      held.push(() => response.end(good));
    };
    hive.state.chats.push(...Array.from({ length: 6 }, () => hold));
    // Four slots and one ahead.
    const running = await Promise.all(Array.from({ length: 5 }, () => chat()));
    const late = chat();
    await eventually(() => inference.queue(admin).data.length === 1);
    expect(inference.queue(admin).data).toMatchObject([
      { model: "bee", lane: "interactive", position: 1, mine: false },
    ]);
    expect(inference.queue(person("member")).data[0]?.user).toBeNull();
    expect(inference.requests()).toEqual({ running: 5, waiting: 1 });
    held[0]?.();
    await running[0]?.text();
    await late;
    expect(inference.queue(admin).data).toEqual([]);
    for (const end of held) end();
  });

  it("is refused with 429 and Retry-After when too many wait already", async () => {
    const { hive, inference, chat, client } = await household({ queueLimit: 1 });
    hive.state.chats.push(
      ...Array.from({ length: 5 }, (): ChatHandler => (_, response) => {
        begin(response).write(token("I"));
      }),
    );
    await Promise.all(Array.from({ length: 5 }, () => chat()));
    const waits = chat().catch(() => undefined);
    await eventually(() => inference.queue(admin).data.length === 1);
    const refused = await chat().catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "queue_full", status: 429 });
    client.abort();
    await waits;
    expect(inference.queue(admin).data).toEqual([]);
  });
});

describe("a chat with a server that somebody else runs", () => {
  const external: WorkerTelemetry = {
    ...{ worker_id: "worker:ext-1", model: "bee", engine: "external", backend: null, device: null, state: "ready" },
    ...{ pid: null, load_progress: null, context_length: null, slots_total: null, slots_busy: null, queued: null },
    ...{ uptime_s: 1, tokens_per_s: null, idle_s: null, stops_in_s: null, restarts: 0, error: null },
    ...{ rss_mb: null, vram_mb: null, cpu_pct: null },
    external: { kind: "llama-server", name: "wasps", address: null, model: "bee" },
  };
  const say =
    (status: number, body: string, headers: Record<string, string> = {}): ChatHandler =>
    (_, response) =>
      void response
        .writeHead(status, { "x-rbee-worker": "1", "content-type": "application/json", ...headers })
        .end(body);
  const withServer = async (options: Parameters<typeof household>[0] = {}) => {
    const made = await household(options);
    made.beat([external]);
    return made;
  };

  it("that is still loading is asked again at the pace of people, not in a tight loop", async () => {
    const { chat, hive } = await withServer();
    const readyAt = performance.now() + 600;
    const loading: ChatHandler = (request, response, id) => {
      if (performance.now() > readyAt) answerWell(request, response, id);
      else {
        hive.state.chats.push(loading);
        say(503, '{"error":{"message":"Loading model"}}', { "retry-after": "0" })(request, response, id);
      }
    };
    hive.state.chats = [loading];
    expect(await textOf(chat())).toContain('"content":"Hel"');
    expect(hive.state.asked.length).toBeLessThan(6);
    expect(hive.state.spawned).toBe(0);
  });

  it("that never begins its answer ends at its limit, and its seat is free", async () => {
    const { chat, hive, inference } = await withServer({ externalLimitMs: 50 });
    hive.state.chats = [() => {}, () => {}];
    for (const stream of [true, false])
      await expect(chat({ stream })).rejects.toMatchObject({
        code: "worker_stalled",
        message: expect.stringContaining("wasps on attic") as string,
      });
    await eventually(() => hive.state.aborted === 2);
    expect(inference.requests().running).toBe(0);
  });

  it("whose refusal never ends is told with what had come of it", async () => {
    const { chat, hive } = await withServer();
    hive.state.chats = [
      (_, response) =>
        void response.writeHead(400, { "x-rbee-worker": "1" }).write(`no such colour ${"x".repeat(100_000)}`),
    ];
    await expect(chat()).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("no such colour") as string,
    });
    await eventually(() => hive.state.aborted === 1);
  });

  it("that has lost the model is left for the household's own copy", async () => {
    const { chat, hive } = await withServer();
    hive.state.chats = [say(404, '{"error":{"message":"model bee not found"}}')];
    expect(await textOf(chat())).toBe(good);
    expect(hive.state.asked).toEqual(["worker:ext-1", "worker:1"]);
  });

  it("that breaks off is blamed itself, not the machine's hive", async () => {
    const { chat, hive, beat } = await withServer();
    // What fails there is asked once more elsewhere.
    beat([external, { ...external, worker_id: "worker:ext-2" }]);
    const half: ChatHandler = (_, response) =>
      void response
        .writeHead(200, { "content-type": "application/json" })
        .write('{"choices":', () => response.destroy());
    hive.state.chats = [half, half];
    await expect(chat({ stream: false })).rejects.toMatchObject({
      code: "worker_crashed",
      message: expect.stringContaining("wasps on attic ended its answer") as string,
    });
  });
});
