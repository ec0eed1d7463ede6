import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FakeHub } from "../../../packages/hive/src/testing/fake-hub.ts";
import { chatEvents, neverEnding, type StreamEvent } from "../../support/chat-stream.ts";
import { expectFault } from "../../support/fault.ts";
import { freeze, thawAll } from "../../support/frozen.ts";
import { joinedHive, type TestHive } from "../../support/hive.ts";
import { startHousehold, type Household } from "../../support/household.ts";
import { wholeJob } from "../../support/job-stream.ts";
import { invitedMember } from "../../support/people.ts";
import { projectRoot } from "../../support/process.ts";
import { whyNoNamespaces } from "../../support/ssh-host/available.ts";
import { createNetwork, type NetworkPlace, type TestNetwork } from "../../support/ssh-host/network.ts";
import { waitFor } from "../../support/wait-for.ts";

const skipped = whyNoNamespaces === null ? "" : ` (skipped: ${whyNoNamespaces})`;
const names = ["attic", "cellar", "garage"] as const;
type Name = (typeof names)[number];

describe.skipIf(whyNoNamespaces !== null)(`a household of three machines${skipped}`, { timeout: 90_000 }, () => {
  let network: TestNetwork;
  let hub: FakeHub;
  let household: Household;
  let key: string;
  const places = new Map<Name, NetworkPlace>();
  const hives = new Map<Name, TestHive>();
  const of = (name: Name) => {
    const [hive, place] = [hives.get(name), places.get(name)];
    if (hive === undefined || place === undefined) throw new Error(`${name} is not there`);
    return { hive, place };
  };

  beforeAll(async () => {
    network = await createNetwork();
    hub = await FakeHub.start(network.address);
    const model = readFileSync(join(projectRoot, "models/bee-tiny/bee-tiny-q8_0.gguf"));
    hub.add("bees/shared", "shared-bee-Q8_0.gguf", Buffer.concat([model, Buffer.from("shared")]));
    household = await startHousehold({ localHive: false, env: { RBEE_HOST: "0.0.0.0" } });
    key = await household.key();
    const queenUrl = `http://${network.address}:${new URL(household.url).port}`;
    await Promise.all(
      names.map(async (name) => {
        const place = await network.join(name);
        places.set(name, place);
        const through = ["ip", "netns", "exec", place.namespace];
        hives.set(
          name,
          await joinedHive(household, name, { HF_ENDPOINT: hub.url }, { host: place.address, through, queenUrl }),
        );
      }),
    );
  }, 90_000);
  afterAll(async () => {
    thawAll();
    await Promise.all([...hives.values()].map((hive) => hive.stop()));
    await household.stop();
    await hub.close();
    await network.remove();
  });

  const ask = (more: object = {}, authorization = `Bearer ${key}`) =>
    fetch(`${household.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: JSON.stringify({
        ...{ model: "bee-tiny", max_tokens: 8, messages: [{ role: "user", content: "Tell me a story about a bee" }] },
        ...more,
      }),
    });
  const answeredBy = (response: Response) => response.headers.get("x-rbee-hive") as Name;
  const healthOf = async (name: Name) => (await household.fleet()).hives.find((hive) => hive.name === name)?.health;
  const workersOf = async (name: Name) =>
    (await of(name).hive.client().listWorkers()).data.filter(({ state }) => /ready|busy/u.test(state));
  const workerOn = async (name: Name) => {
    const { job_id } = await household.admin.startJob({
      body: { operation: "worker_spawn", model: "bee-tiny", hive_id: of(name).hive.identity().hive_id },
    });
    expect((await wholeJob(household.admin, job_id)).at(-1)).toMatchObject({ status: "succeeded" });
  };

  it("a model that was pulled once travels over the network: the hub sees one download", async () => {
    const pull = async (hive: Name) => {
      const body = { operation: "model_download" as const, model: "hf:bees/shared", hive };
      const { job_id } = await household.admin.startJob({ body });
      return (await wholeJob(household.admin, job_id)).at(-1);
    };
    expect(await pull("attic")).toMatchObject({ status: "succeeded", data: { hive: "attic" } });
    const asked = hub.fileRequests.length;
    expect(await Promise.all([pull("cellar"), pull("garage")])).toMatchObject([
      { status: "succeeded", data: { from: ["attic"] } },
      { status: "succeeded", data: { from: [expect.stringMatching(/attic|cellar/u) as string] } },
    ]);
    expect(hub.fileRequests).toHaveLength(asked);
    const model = (await household.fleet()).models.find(({ hives: on }) => on.length === 3 && on.length > 0);
    expect(model).toBeDefined();
  });

  it("a machine whose cable is pulled goes down, its answer is taken over or ends with an error, and it comes back by itself", async () => {
    for (const name of names) await workerOn(name);
    const events: StreamEvent[] = [];
    const response = await ask({ stream: true, ...neverEnding });
    const lost = answeredBy(response);
    const { hive, place } = of(lost);
    const pid = hive.process.pid;
    let cut = false;
    for await (const event of chatEvents(response)) {
      events.push(event);
      if (cut || event.kind !== "chunk" || event.text === "") continue;
      cut = true;
      await place.setLink(false);
      // What is asked meanwhile is answered by the others, at once or when the connection turns out to be dead.
      const others = await Promise.all([1, 2, 3, 4].map(() => ask()));
      for (const other of others) expect([other.status, answeredBy(other) === lost]).toEqual([200, false]);
    }
    const last = events.at(-1);
    expectFault(last?.kind === "error" ? last.error : last, {
      code: "hive_down",
      message: new RegExp(`${lost} stopped sending heartbeats`, "u"),
      suggestion: /Start rbee-hive on that machine, or look at its network/u,
    });
    expect(await healthOf(lost)).toBe("down");
    await place.setLink(true);
    await waitFor("the machine to be there again", async () => (await healthOf(lost)) === "healthy", {
      limitMs: 40_000,
    });
    expect([hive.process.pid, hive.process.child.exitCode]).toEqual([pid, null]);
    expect((await ask()).status).toBe(200);
    expect((await workersOf(lost)).length).toBeGreaterThan(0);
  });

  it("a machine that dies before the first token is replaced by another, and nobody notices", async () => {
    // Every worker holds its breath, so that the requests are surely with somebody and nobody has said a word.
    for (const { pid } of (await Promise.all(names.map(workersOf))).flat()) freeze(pid);
    const answers = [1, 2, 3].map(() => ask());
    await waitFor("all to be sent", async () => (await household.fleet()).totals.requests_running === 3);
    process.kill(of("cellar").hive.process.pid, "SIGKILL");
    thawAll();
    for (const answer of await Promise.all(answers))
      expect([answer.status, answeredBy(answer) === "cellar"]).toEqual([200, false]);
    await of("cellar").hive.start();
    await household.readyHive("cellar");
  });

  it("a machine that dies after the first token ends its answer with an error, never as if it were complete", async () => {
    const events: StreamEvent[] = [];
    const response = await ask({ stream: true, ...neverEnding });
    const lost = answeredBy(response);
    let killed = false;
    for await (const event of chatEvents(response)) {
      events.push(event);
      if (killed || event.kind !== "chunk" || event.text === "") continue;
      killed = true;
      process.kill(of(lost).hive.process.pid, "SIGKILL");
    }
    expect(events.some(({ kind }) => kind === "done")).toBe(false);
    const last = events.at(-1);
    expectFault(last?.kind === "error" ? last.error : last, {
      code: "hive_unreachable",
      message: new RegExp(`The connection to ${lost} broke`, "u"),
      suggestion: /Check that the machine is on and that rbee-hive runs there/u,
    });
    expect((await ask()).status).toBe(200);
    await of(lost).hive.start();
    await household.readyHive(lost);
  });

  it("one question of a person goes before the rest of another person's many", async () => {
    const { key: other } = await invitedMember(household, "Grace");
    const many = 36;
    let answered = 0;
    const story = { ...neverEnding, max_tokens: 60 };
    const hers = Array.from({ length: many }, () =>
      ask(story).then((response) => {
        answered += 1;
        return response.status;
      }),
    );
    await waitFor("many to wait", async () => (await household.fleet()).totals.requests_waiting > many / 3);
    const before = answered;
    expect((await ask(story, `Bearer ${other}`)).status).toBe(200);
    // Whoever is with a worker already is finished first: four slots each, and a seat beside them, on three machines.
    expect(answered - before).toBeLessThanOrEqual(18);
    expect(many - answered).toBeGreaterThan(0);
    expect(new Set(await Promise.all(hers))).toEqual(new Set([200]));
  });
});
