import { modelIdSchema, workerIdSchema } from "@rbee/contract";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../../testing/eventually.ts";
import { externalAnswer, startExternalServer, type Misbehaviour } from "../../testing/external-server.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { recordedLog } from "../../testing/recorded-log.ts";
import { smallHive, token } from "../../testing/small-hive.ts";
import { nameModels } from "./names.ts";
import { ExternalServers } from "./servers.ts";
import { targetsOf } from "./targets.ts";

async function server(models: readonly string[], options: { ollama?: boolean } = {}) {
  const started = await startExternalServer(models, options);
  onTestFinished(() => started.stop());
  return started;
}

/** A hive's watch over some addresses, whose clock moves only when a test says so. */
function watch(...urls: string[]) {
  const clock = new ManualClock();
  const { log, lines } = recordedLog();
  const targets = urls.map((url) => ({ url, name: null }));
  const servers = new ExternalServers({ targets, hiveId: "hive:a", clock, log });
  servers.start();
  onTestFinished(() => servers.stop());
  const rests = () => eventually("the look is over", () => clock.pending().length > 0);
  return {
    servers,
    lines,
    rests,
    /** Lets `ms` pass, and the look that falls due end. */
    async later(ms: number) {
      await rests();
      clock.advance(ms);
      await rests();
    },
    states: () => servers.workers().map(({ model, isServed }) => [model, isServed ? "ready" : "stopped"]),
  };
}

const named = (...ids: string[]) => nameModels(ids.map((id) => ({ id, ownedBy: null, contextLength: null })));

describe("where servers are looked for", () => {
  it("is where they usually are, nowhere, or at the addresses that somebody set, each once", () => {
    expect(targetsOf("auto").map(({ url }) => url)).toEqual([
      "http://127.0.0.1:11434",
      "http://127.0.0.1:8000",
      "http://127.0.0.1:1234",
      "http://127.0.0.1:8080",
    ]);
    expect(targetsOf("off")).toEqual([]);
    expect(targetsOf("workshop=http://127.0.0.1:9999/v1/, https://gpu.lan/openai")).toEqual([
      { url: "http://127.0.0.1:9999", name: "workshop" },
      { url: "https://gpu.lan/openai", name: null },
    ]);
    expect(targetsOf("auto,mine=http://127.0.0.1:8000")).toHaveLength(4);
    expect(targetsOf("auto,mine=http://127.0.0.1:8000")).toContainEqual({ url: "http://127.0.0.1:8000", name: "mine" });
    const byOtherNames = targetsOf("auto,mine=http://localhost:11434,http://[::1]:8000/v1");
    expect(byOtherNames).toHaveLength(4);
    expect(byOtherNames[0]).toEqual({ url: "http://localhost:11434", name: "mine" });
  });
});

describe("the names of models that others serve", () => {
  it("stay when they are valid, and become valid by dashes when they are not", () => {
    const { named: models, leftOut } = named(
      "llama3.2:latest",
      "meta-llama/Llama-3.1-8B",
      "hf.co/a/b:Q4_K_M",
      "../../etc/passwd",
    );
    expect(models.map(({ id, told }) => [told.id, id])).toEqual([
      ["llama3.2:latest", "llama3.2:latest"],
      ["../../etc/passwd", "etc-passwd"],
      ["hf.co/a/b:Q4_K_M", "hf.co-a-b:Q4_K_M"],
      ["meta-llama/Llama-3.1-8B", "meta-llama-Llama-3.1-8B"],
    ]);
    expect(models.every(({ id }) => modelIdSchema.safeParse(id).success)).toBe(true);
    expect(leftOut).toEqual([]);
  });

  it("are left out when nothing of them is left, when they are too long, or when another model has the id", () => {
    const { named: models, leftOut } = named("模型", "", "a/b", "a-b", "x".repeat(201), "a\nb");
    expect(models.map(({ id, told }) => [told.id, id])).toEqual([["a-b", "a-b"]]);
    expect(leftOut.toSorted()).toEqual(["", "a\nb", "a/b", "x".repeat(201), "模型"]);
  });
});

describe("a server of somebody else", () => {
  it("appears with its models as workers of which nothing is made up, and is logged once", async () => {
    const ollama = await server(["llama3.2:latest", "hf.co/a/b:Q4"]);
    const { servers, lines, later } = watch(ollama.url);
    await later(5_000);
    await later(5_000);
    expect(servers.describe()).toEqual([
      {
        ...{ kind: "ollama", name: "Ollama", version: "0.9.1", address: ollama.url },
        models: ["hf.co-a-b:Q4", "llama3.2:latest"],
      },
    ]);
    const [worker] = servers.workers().filter(({ model }) => model === "hf.co-a-b:Q4");
    expect(worker?.facts()).toMatchObject({
      ...{
        engine: "external",
        state: "ready",
        backend: null,
        device: null,
        pid: null,
        slots_total: null,
        slots_busy: null,
      },
      ...{ tokens_per_s: null, context_length: null, error: null },
      external: { kind: "ollama", name: "Ollama", address: ollama.url, model: "hf.co/a/b:Q4" },
    });
    expect(workerIdSchema.safeParse(worker?.id).success).toBe(true);
    expect(lines.map(({ msg }) => msg)).toEqual([`Found Ollama 0.9.1 at ${ollama.url} with 2 models.`]);
  });

  it("that is gone stops its workers at the next look, says why, and has the same workers when it is back", async () => {
    const ollama = await server(["wasp"]);
    const { servers, lines, later, states } = watch(ollama.url);
    await later(0);
    const id = servers.workers()[0]?.id;
    await ollama.stop();
    await later(5_000);
    expect(states()).toEqual([["wasp", "stopped"]]);
    expect(servers.describe()).toEqual([]);
    expect(servers.workers()[0]?.facts().error?.message).toMatch(/^Ollama does not answer any more/u);
    await ollama.start();
    await later(5_000);
    expect(states()).toEqual([["wasp", "ready"]]);
    expect(servers.workers()[0]?.id).toBe(id);
    expect(lines).toHaveLength(3);
  });

  it("that did not say at first what it is, is asked again", async () => {
    const slow = await server(["wasp"], { ollama: false });
    const { servers, later } = watch(slow.url);
    await later(0);
    expect(servers.describe()[0]?.kind).toBe("openai-compatible");
    slow.isOllama = true;
    await later(5_000);
    expect(servers.describe()).toMatchObject([{ kind: "ollama", name: "Ollama", models: ["wasp"] }]);
    expect(servers.workers()[0]?.facts()).toMatchObject({ state: "ready", external: { kind: "ollama" } });
  });

  it("that hangs is doubted first and gone within ten seconds", async () => {
    const ollama = await server(["wasp"]);
    const { later, states } = watch(ollama.url);
    await later(0);
    ollama.misbehaves = "hang";
    await later(5_000);
    expect(states()).toEqual([["wasp", "ready"]]);
    await later(1_500);
    expect(states()).toEqual([["wasp", "stopped"]]);
    ollama.misbehaves = null;
    await later(5_000);
    expect(states()).toEqual([["wasp", "ready"]]);
  });

  it("loses and gains single models as it does", async () => {
    const ollama = await server(["wasp", "hornet"]);
    const { later, states } = watch(ollama.url);
    await later(0);
    ollama.models = ["hornet", "bumblebee"];
    await later(5_000);
    expect(states().toSorted()).toEqual([
      ["bumblebee", "ready"],
      ["hornet", "ready"],
      ["wasp", "stopped"],
    ]);
  });

  it("is told without a model when it has none, and as nobody's when nothing gives it away", async () => {
    const [ollama, plain] = [await server([]), await server(["wasp"], { ollama: false })];
    const { servers, later } = watch(ollama.url, plain.url);
    await later(0);
    expect(servers.describe().map(({ kind, models }) => [kind, models])).toEqual([
      ["ollama", []],
      ["openai-compatible", ["wasp"]],
    ]);
  });

  it.each<Misbehaviour>(["garbage", "html", "unauthorized", "redirect", "endless", "hang"])(
    "is none that answers with %s",
    async (misbehaviour) => {
      const odd = await server(["wasp"]);
      odd.misbehaves = misbehaviour;
      const { servers, lines, later } = watch(odd.url);
      await later(0);
      await later(5_000);
      expect([servers.describe(), servers.workers(), lines]).toEqual([[], [], []]);
    },
  );

  it("is never an rbee", async () => {
    const hive = await smallHive();
    const { servers, later } = watch(hive.url);
    await later(0);
    expect(servers.describe()).toEqual([]);
  });
});

describe("a hive with such a server", () => {
  async function hiveWith(models: readonly string[]) {
    const ollama = await server(models);
    const hive = await smallHive("good", { external: [ollama.url] });
    const worker = await eventually("the worker", async () => (await hive.client.listWorkers()).data[0]);
    const address = `${hive.url}/v1/workers/${worker.worker_id}/v1/chat/completions`;
    const ask = (stream = false) =>
      fetch(address, {
        method: "POST",
        headers: {
          ...{ authorization: `Bearer ${token}`, "content-type": "application/json", "x-request-id": "req-1" },
          ...{ "x-rbee-parking-key": "secret", "x-api-key": "secret", cookie: "secret" },
        },
        body: JSON.stringify({ model: models[0], messages: [{ role: "user", content: "hi" }], stream }),
      });
    return { ollama, hive, worker, ask };
  }

  it("passes requests on as they are, with nothing about the household, and marks whose answer it is", async () => {
    const { ollama, worker, ask } = await hiveWith(["wasp/1"]);
    const response = await ask();
    expect(JSON.stringify(await response.json())).toContain(externalAnswer);
    expect(response.headers.get("x-rbee-worker")).toBe(worker.worker_id);
    const [asked] = ollama.asked;
    expect(asked?.headers).toMatchObject({ "x-request-id": "req-1", "content-type": "application/json" });
    expect(JSON.stringify(asked?.headers)).not.toMatch(/secret|authorization|rbee|aaaa/u);
    expect(asked?.body).toMatchObject({ model: "wasp/1" });
  });

  it("neither stops nor starts it, and says so", async () => {
    const { hive, worker } = await hiveWith(["wasp"]);
    const refused = { code: "invalid_request", message: expect.stringContaining("neither starts nor stops") as string };
    const { worker_id } = worker;
    await expect(hive.client.stopWorker({ params: { id: worker_id } })).rejects.toMatchObject(refused);
    await expect(hive.client.spawnWorker({ body: { model: "wasp" } })).rejects.toMatchObject(refused);
    await expect(hive.client.workerLogs({ params: { id: worker_id } })).rejects.toMatchObject({
      code: "worker_not_found",
    });
    expect((await hive.client.workerHealth({ params: { id: worker_id } })).problem).toBeNull();
  });

  it("ends a stream that breaks with an error event, and knows at once that the server is gone", async () => {
    const { ollama, hive, worker, ask } = await hiveWith(["wasp"]);
    ollama.paceMs = 20;
    const streamed = await ask(true);
    await ollama.stop();
    const text = await streamed.text();
    expect(text).toContain('"code":"worker_crashed"');
    expect(text).not.toContain("[DONE]");
    const gone = await hive.client.getWorker({ params: { id: worker.worker_id } });
    expect(gone.state).toBe("stopped");
    expect((await ask()).status).toBe(404);
  });
});
