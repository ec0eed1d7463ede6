import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { hiveClient, RbeeError, type Capabilities, type Health } from "@rbee/contract";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { chatEvents, neverEnding, type StreamEvent } from "../../support/chat-stream.ts";
import { joinFakeHive, type Behaviour, type FakeHive } from "../../support/fake-hive.ts";
import {
  errorAnswer,
  expectCommandFault,
  expectFault,
  expectJobFault,
  failureOf,
  type Fault,
} from "../../support/fault.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { freeze, thawAll } from "../../support/frozen.ts";
import { joinedHive, type TestHive } from "../../support/hive.ts";
import { startHousehold, type Household } from "../../support/household.ts";
import { startProcess } from "../../support/process.ts";
import { waitFor } from "../../support/wait-for.ts";

let household: Household;
let key: string;
let attic: TestHive;
let like: Capabilities;

beforeAll(async () => {
  household = await startHousehold({ localHive: false });
  key = await household.key();
  attic = await joinedHive(household, "attic");
  like = await attic.client().capabilities();
});
afterAll(async () => {
  thawAll();
  await attic.stop();
  await household.stop();
});

const chat = (stream = false, more: object = {}) =>
  fetch(`${household.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "bee-tiny", stream, messages: [{ role: "user", content: "Hello" }], ...more }),
  });
const infer = ["infer", "--model", "bee-tiny", "--prompt", "Hello"];
const health = async (): Promise<Health | undefined> =>
  (await household.fleet()).hives.find(({ name }) => name === "attic")?.health;

describe("a hive that stops", () => {
  const fault: Fault = {
    code: "hive_down",
    message: /attic (is down|stopped sending heartbeats)/u,
    suggestion: /Start rbee-hive on (that machine|a machine)/u,
  };

  it("hive_down: is degraded after 3 s and down after 10, its answers end with an error, and it heals by itself", async () => {
    expect((await chat()).status).toBe(200);
    const events: StreamEvent[] = [];
    const seen: { health: Health; afterMs: number }[] = [];
    let stoppedAt = 0;
    for await (const event of chatEvents(await chat(true, neverEnding))) {
      events.push(event);
      if (stoppedAt !== 0 || event.kind !== "chunk" || event.text === "") continue;
      const [worker] = (await attic.client().listWorkers()).data;
      // As a machine that hangs: the worker falls silent with its hive.
      for (const pid of [worker?.pid, attic.process.pid]) freeze(pid);
      stoppedAt = performance.now();
      for (const wanted of ["degraded", "down"] as const) {
        await waitFor(`the hive to be ${wanted}`, async () => (await health()) === wanted);
        seen.push({ health: wanted, afterMs: performance.now() - stoppedAt });
      }
    }
    const [degraded, down] = seen;
    // The last heartbeat came up to a second before, and the change is told within one.
    expect(degraded?.afterMs).toBeGreaterThan(1_900);
    expect(degraded?.afterMs).toBeLessThan(4_500);
    expect(down?.afterMs).toBeGreaterThan(8_900);
    expect(down?.afterMs).toBeLessThan(11_500);
    expect(performance.now() - stoppedAt).toBeLessThan(13_000);
    const last = events.at(-1);
    expectFault(last?.kind === "error" ? last.error : last, fault);
    for (const stream of [false, true]) {
      const { status, error } = await errorAnswer(await chat(stream));
      expect(status).toBe(503);
      expectFault(error, fault);
    }
    await expectJobFault(household, ["worker", "spawn", "--model", "bee-tiny"], fault);
    thawAll();
    await waitFor("the hive to be healthy again", async () => (await health()) === "healthy");
    expect((await chat()).status).toBe(200);
  });

  it("hive_unreachable: one that was killed a moment ago is told as that, not as a fault of the person's", async () => {
    await attic.process.stop("SIGKILL");
    const { status, error } = await errorAnswer(await chat());
    expect(status).toBe(503);
    expectFault(error, {
      code: "hive_unreachable",
      message: /attic does not answer/u,
      suggestion: /Check that the machine is on/u,
    });
    await attic.start();
    await household.readyHive("attic");
    expect((await chat()).status).toBe(200);
    // From here on the other hives of this file answer alone.
    await household.admin.removeHive({ params: { id: attic.identity().hive_id } });
    await attic.process.stop();
  });
});

describe("a hive that does not speak as one", () => {
  let fake: FakeHive | undefined;
  afterEach(async () => {
    await fake?.stop();
    fake = undefined;
  });

  const say =
    (status: number, type: string, text: string): Behaviour =>
    (_, response) => {
      response.writeHead(status, { "content-type": type }).end(text);
    };
  const page = say(200, "text/html", "<html>It works!</html>");

  it.each<[string, Behaviour]>([
    ["with a page of another service", page],
    ["with a failure of another service", say(502, "text/html", "<html>Bad Gateway</html>")],
    ["with JSON that is no chat", say(200, "application/json", '{"hello":"world"}')],
    ["with half an answer", say(200, "application/json", '{"id":"chatcmpl-1","choices":[')],
    ["with an error of another service", say(500, "application/json", '{"detail":"Internal Server Error"}')],
  ])("hive_invalid_response: an answer %s is refused, whole and streamed", async (_, behaviour) => {
    fake = await joinFakeHive(household, "babel", like);
    await household.readyHive("babel");
    fake.answer = behaviour;
    const fault: Fault = {
      code: "hive_invalid_response",
      message: /babel answered (something that is no answer of a model|\d+ without an rbee error)/u,
      suggestion: /both sides run the same version/u,
    };
    for (const stream of [false, true]) {
      const { status, error } = await errorAnswer(await chat(stream));
      expect(status).toBe(503);
      expectFault(error, fault);
    }
  });

  it("hive_invalid_response: rbee shows it and fails", async () => {
    fake = await joinFakeHive(household, "babel", like);
    await household.readyHive("babel");
    fake.answer = page;
    await expectCommandFault(household, infer, {
      code: "hive_invalid_response",
      message: /babel answered/u,
      suggestion: /same version/u,
    });
  });

  it.each<[string, () => Behaviour]>([
    ["with a page", () => page],
    ["with JSON that is something else", () => say(200, "application/json", '{"hive_id":1}')],
    ["as another hive", () => say(200, "application/json", JSON.stringify(like))],
  ])("hive_invalid_response: one that tells %s what it has is shown with that problem", async (_, behaviour) => {
    fake = await joinFakeHive(household, "babel", like);
    fake.capabilities = behaviour();
    await household.admin.discoverHives();
    const problem = (await household.fleet()).hives.find(({ name }) => name === "babel")?.problem;
    expectFault(problem, {
      code: "hive_invalid_response",
      message: /answer/u,
      suggestion: /same version/u,
    });
  });

  it("hive_unreachable: one whose port is closed, though it reports, is told as that", async () => {
    fake = await joinFakeHive(household, "walled", like);
    await household.readyHive("walled");
    await fake.stopListening();
    const fault: Fault = {
      code: "hive_unreachable",
      message: /walled does not answer/u,
      suggestion: /Check that the machine is on/u,
    };
    for (const stream of [false, true]) expectFault((await errorAnswer(await chat(stream))).error, fault);
    await expectCommandFault(household, infer, fault);
  });
});

describe("a hive of another version", () => {
  const fault: Fault = {
    code: "hive_version_mismatch",
    message: /speaks v1, the hive speaks v9/u,
    suggestion: /Run the same version of rbee on both machines/u,
  };

  it("hive_version_mismatch: is not let in, and its join token stays good", async () => {
    const { token } = await household.admin.createJoinToken({ body: {} });
    const identity = { hive_id: `hive:${randomUUID()}`, hive_token: randomBytes(32).toString("base64url") };
    const body = { join_token: token, ...identity, name: "elder", version: "9.0.0", port: 7835 };
    const refused = await failureOf(household.client().enrollHive({ body: { ...body, api_version: "v9" } }));
    expect(refused).toMatchObject({ status: 503 });
    expectFault(refused, fault);
    expect((await household.fleet()).hives.map(({ name }) => name)).not.toContain("elder");
    const { hive_id } = await household.client().enrollHive({ body: { ...body, api_version: "v1" } });
    await household.admin.removeHive({ params: { id: hive_id } });
  });

  it("hive_version_mismatch: rbee-hive says so in one line and ends with exit code 1", async () => {
    const error = new RbeeError("hive_version_mismatch", "This queen speaks v9, the hive speaks v1.", {
      suggestion: "Run the same version of rbee on both machines.",
    });
    const queen = createServer((_, response) => {
      response.writeHead(error.status, error.headers()).end(JSON.stringify(error.toBody()));
    }).listen(0, "127.0.0.1");
    await once(queen, "listening");
    const folder = temporaryFolder("hive-elder");
    const url = `http://127.0.0.1:${(queen.address() as AddressInfo).port}`;
    const hive = startProcess(["packages/hive/bin/rbee-hive.js", "--queen", url, "--join-token", "rbeejoin_x"], {
      ...{ RBEE_HIVE_HOME: folder.path, RBEE_HIVE_PORT: "0", RBEE_HIVE_HOST: "127.0.0.1", RBEE_MDNS: "false" },
      RBEE_CONFIG_DIR: folder.path,
    });
    expect(await hive.exited).toBe(1);
    expect(hive.output()).toContain("This queen speaks v9, the hive speaks v1. Run the same version of rbee");
    queen.close();
    folder.remove();
  });
});

describe("a stranger who says that it is a hive", () => {
  it("invalid_api_key: is not believed, and changes nothing", async () => {
    const thief = hiveClient({ baseUrl: attic.url, name: "attic", token: "x".repeat(43) });
    await attic.start();
    expectFault(await failureOf(thief.listWorkers()), {
      code: "invalid_api_key",
      message: /token/u,
      suggestion: /\w{3}/u,
    });
  });
});
