import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import type { FleetHive, HouseholdWorker, Loan } from "@rbee/contract";
import { computeProgramBeside } from "../../packages/hive/src/engines/programs.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chatEvents, neverEnding, type StreamEvent } from "../support/chat-stream.ts";
import { expectFault } from "../support/fault.ts";
import { freeze, thawAll } from "../support/frozen.ts";
import { joinedHive, type TestHive } from "../support/hive.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { llamaServerPath } from "../support/llama.ts";
import { isAlive } from "../support/process.ts";
import { whyNoNamespaces } from "../support/ssh-host/available.ts";
import { createNetwork, type NetworkPlace, type TestNetwork } from "../support/ssh-host/network.ts";
import { run } from "../support/ssh-host/run.ts";
import { waitFor } from "../support/wait-for.ts";

function whyNoSharing(): string | null {
  const toBuild = "`npm run llama:build` makes them";
  if (llamaServerPath === null) return `llama-server and ggml-rpc-server are not here; ${toBuild}`;
  if (computeProgramBeside(llamaServerPath) === null) return `no ggml-rpc-server lies beside llama-server; ${toBuild}`;
  const help = execFileSync(llamaServerPath, ["--help"], { encoding: "utf8", timeout: 10_000 });
  return help.includes("--rpc") ? null : `this llama-server cannot share models; ${toBuild}`;
}

const whyNot = whyNoNamespaces ?? whyNoSharing();
const names = ["attic", "cellar"] as const;
type Name = (typeof names)[number];
const model = "bee-tiny";
const question = { messages: [{ role: "user", content: "Tell me a story about a bee" }] };

describe.skipIf(whyNot !== null)(
  `one model over two machines${whyNot === null ? "" : ` (skipped: ${whyNot})`}`,
  { timeout: 90_000 },
  () => {
    let network: TestNetwork;
    let household: Household;
    let key: string;
    const places = new Map<Name, NetworkPlace>();
    const hives = new Map<Name, TestHive>();
    const of = (name: Name) => {
      const [hive, place] = [hives.get(name), places.get(name)];
      if (hive === undefined || place === undefined) throw new Error(`${name} is not there`);
      return { hive, place, id: hive.identity().hive_id };
    };

    beforeAll(async () => {
      network = await createNetwork();
      household = await startHousehold({ localHive: false, env: { RBEE_HOST: "0.0.0.0" } });
      key = await household.key();
      const queenUrl = `http://${network.address}:${new URL(household.url).port}`;
      for (const name of names) {
        const place = await network.join(name);
        places.set(name, place);
        const through = ["ip", "netns", "exec", place.namespace];
        const env = { RBEE_LLAMA_SERVER: llamaServerPath ?? "" };
        hives.set(name, await joinedHive(household, name, env, { host: place.address, through, queenUrl }));
      }
    }, 90_000);
    afterAll(async () => {
      thawAll();
      await Promise.all([...hives.values()].map((hive) => hive.stop()));
      await household.stop();
      await network.remove();
    });

    const ask = (more: object = {}) =>
      fetch(`${household.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify({ model, max_tokens: 48, temperature: 0, ...question, ...more }),
      });
    const textOf = async (response: Response) => {
      const body = await response.text();
      expect([response.status, body]).toEqual([200, expect.any(String)]);
      return (JSON.parse(body) as { choices: { message: { content: string } }[] }).choices[0]?.message.content;
    };
    const healthOf = async (name: Name): Promise<FleetHive["health"] | undefined> =>
      (await household.fleet()).hives.find((hive) => hive.name === name)?.health;
    const workers = async (): Promise<HouseholdWorker[]> => (await household.admin.listWorkers()).data;
    const spreadWorker = () =>
      waitFor("the worker to be seen", async () =>
        (await workers()).find(({ spread, state }) => spread !== undefined && /ready|busy/u.test(state)),
      );
    const readyWorkers = () =>
      waitFor("a ready worker", async () => {
        const ready = (await workers()).filter(({ state }) => state === "ready" || state === "busy");
        return ready.length > 0 && ready.map(({ hive, spread }) => [hive, spread] as const);
      });
    const theLoan = async (): Promise<Loan> => {
      const { data } = await of("cellar").hive.client().listLoans();
      const [loan, ...more] = data;
      if (loan === undefined || more.length > 0) throw new Error(`cellar lends ${data.length} times`);
      return loan;
    };
    const gone = (pid: number | null, limitMs?: number) =>
      waitFor(`process ${pid ?? 0} to be gone`, async () => pid !== null && !(await isAlive(pid)), { limitMs });
    const stopAll = async () => {
      for (const name of names) {
        const client = of(name).hive.client();
        for (const { worker_id } of (await client.listWorkers()).data)
          await client.stopWorker({ params: { id: worker_id }, query: { drain_ms: 0 } });
      }
      await waitFor("nobody to have it loaded", async () => {
        const { decision } = await household.admin.explainModel({ params: { id: model } });
        return decision.kind === "load";
      });
    };
    /** Streams an endless answer, does something after its first word, and gives all that came and how long it took. */
    const interrupted = async (disturb: () => unknown) => {
      const events: StreamEvent[] = [];
      let at = 0;
      for await (const event of chatEvents(await ask({ stream: true, ...neverEnding }))) {
        events.push(event);
        if (at > 0 || event.kind !== "chunk" || event.text === "") continue;
        at = performance.now();
        await disturb();
      }
      const last = events.at(-1);
      expect(events.some(({ kind }) => kind === "done")).toBe(false);
      return { error: last?.kind === "error" ? last.error : last, ms: performance.now() - at };
    };
    const isSpread = async () => {
      expect(await textOf(await ask())).toBe(alone);
      return [await spreadWorker(), await theLoan()] as const;
    };
    let alone: string | undefined;

    it("is said to be spread, with who computes how much, before anything is loaded", async () => {
      alone = await textOf(await ask());
      await stopAll();
      const body = { across: [of("attic").id, of("cellar").id] };
      expect(await household.admin.updateModelSettings({ params: { id: model }, body })).toMatchObject({
        ...body,
        notes: [],
      });
      const { decision, hives: told } = await household.admin.explainModel({ params: { id: model } });
      expect(decision).toMatchObject({ kind: "load", hive: "attic", error: null });
      expect(decision.message).toMatch(/spread over attic \d\d % \+ cellar \d\d %/u);
      expect(told.map(({ name }) => name).sort()).toEqual(["attic", "cellar"]);
      for (const { reason } of told) expect(reason).toMatch(/its \d\d % of bee-tiny needs about \d+ MB/u);
    });

    it("answers as one machine does, and a part of its layers really is on the other", async () => {
      const [worker, loan] = await isSpread();
      expect(worker).toMatchObject({ hive: "attic", engine: "llama-server", device: "cpu" });
      expect(worker.spread?.map(({ name, device }) => [name, device])).toEqual([
        ["attic", "cpu"],
        ["cellar", "cpu"],
      ]);
      expect(worker.spread?.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
      expect(loan).toMatchObject({ model, borrower: "attic", device: "cpu" });
      const { decision, hives: told } = await household.admin.explainModel({ params: { id: model } });
      expect(decision.message).toMatch(/goes to attic, where bee-tiny is loaded over attic \d\d % \+ cellar \d\d %/u);
      expect(told.map(({ reason }) => reason)).toContainEqual(
        expect.stringMatching(/^cellar computes \d\d % of bee-tiny for attic\.$/u),
      );
      // Nobody gets a word while the helper holds its breath.
      freeze(loan.pid);
      let isAnswered = false;
      const answer = ask().finally(() => (isAnswered = true));
      await waitFor("the worker to compute", async () => (await workers()).some(({ state }) => state === "busy"));
      expect(isAnswered).toBe(false);
      thawAll();
      expect(await textOf(await answer)).toBe(alone);
      const seen = await waitFor("cellar to count what it lends", async () => {
        const told = await of("cellar").hive.client().listLoans();
        return told.data[0]?.loaded === true && told;
      });
      expect(seen.data).toHaveLength(1);
    });

    it("is computed by a process that no other machine can reach, behind a door that takes the loan's token alone", async () => {
      const { pid, loan_id } = await theLoan();
      const { hive, place } = of("cellar");
      const command = readFileSync(`/proc/${pid ?? 0}/cmdline`, "utf8").split("\0");
      const port = Number(command[command.indexOf("--port") + 1]);
      expect(command[command.indexOf("--host") + 1]).toBe("127.0.0.1");
      await expect(connected(place.address, port)).rejects.toThrow(/ECONNREFUSED/u);
      const knock = `exec 3<>/dev/tcp/${place.address}/${port}`;
      await expect(run("ip", ["netns", "exec", of("attic").place.namespace, "bash", "-c", knock])).rejects.toThrow(
        /refused/u,
      );
      for (const authorization of [
        undefined,
        `Bearer ${"x".repeat(43)}`,
        `Bearer ${of("attic").hive.identity().hive_token}`,
      ])
        expect(await knockAt(hive.url, loan_id, authorization)).toMatch(/^HTTP\/1\.1 401 /u);
    });

    it("ends its streams with an error that names the machine when a helper's process dies, and is placed again", async () => {
      const [worker, loan] = await isSpread();
      const { error, ms } = await interrupted(() => process.kill(loan.pid ?? 0, "SIGKILL"));
      expectFault(error, {
        code: "worker_crashed",
        message: /^cellar, which computes \d\d % of bee-tiny/u,
        suggestion: /cellar/u,
      });
      expect(ms).toBeLessThan(5_000);
      await gone(worker.pid);
      expect(await textOf(await ask())).toBe(alone);
      // What the last heartbeat told may be older than that answer.
      await waitFor("another worker to be seen", async () =>
        (await workers()).some(({ spread, worker_id }) => spread !== undefined && worker_id !== worker.worker_id),
      );
    });

    it("ends its streams when a helper's hive is killed, runs on the machine that is left, and is spread again later", async () => {
      const [worker, loan] = await isSpread();
      const { error, ms } = await interrupted(() => process.kill(of("cellar").hive.process.pid, "SIGKILL"));
      expectFault(error, { code: "worker_crashed", message: /^cellar, which computes/u, suggestion: /cellar/u });
      expect(ms).toBeLessThan(7_000);
      await gone(loan.pid);
      await gone(worker.pid);
      expect(await textOf(await ask())).toBe(alone);
      expect(await readyWorkers()).toEqual([["attic", undefined]]);
      await of("cellar").hive.start();
      await household.readyHive("cellar");
      await stopAll();
      await isSpread();
    });

    it("never waits for a machine whose cable is cut", async () => {
      const [worker, loan] = await isSpread();
      const { place } = of("cellar");
      const { error, ms } = await interrupted(() => place.setLink(false));
      expectFault(error, {
        code: "worker_crashed",
        message: /^cellar, which computes .* has not answered for \d+ s/u,
        suggestion: /cellar/u,
      });
      expect(ms).toBeLessThan(10_000);
      await gone(worker.pid);
      // The helper's own hive cannot be told, and knows by the silence.
      await gone(loan.pid, 20_000);
      await place.setLink(true);
      await waitFor("cellar to be back", async () => (await healthOf("cellar")) === "healthy", { limitMs: 40_000 });
      await stopAll();
      await isSpread();
    });

    it("gives back what was lent when its worker is stopped, and when its main hive is killed", async () => {
      const [, first] = await isSpread();
      await stopAll();
      await gone(first.pid, 5_000);
      const [worker, second] = await isSpread();
      process.kill(of("attic").hive.process.pid, "SIGKILL");
      await gone(worker.pid);
      await gone(second.pid, 15_000);
      expect((await of("cellar").hive.client().listLoans()).data).toEqual([]);
      await of("attic").hive.start();
      await household.readyHive("attic");
    });

    it("runs on one machine again when nobody wants it spread", async () => {
      await stopAll();
      await household.admin.updateModelSettings({ params: { id: model }, body: { across: [] } });
      expect(await textOf(await ask())).toBe(alone);
      expect((await readyWorkers()).map(([, spread]) => spread)).toEqual([undefined]);
    });
  },
);

function connected(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    socket.on("connect", () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", reject);
  });
}

/** What a hive answers to who asks for a tunnel. */
function knockAt(url: string, loanId: string, authorization: string | undefined): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let said = "";
    socket.on("data", (part: Buffer) => (said += part.toString("utf8")));
    socket.on("end", () => {
      resolve(said);
    });
    socket.on("error", reject);
    const bearer = authorization === undefined ? "" : `authorization: ${authorization}\r\n`;
    socket.write(
      `GET /v1/loans/${loanId}/tunnel HTTP/1.1\r\nhost: x\r\n${bearer}connection: upgrade\r\nupgrade: rbee-loan\r\n\r\n`,
    );
  });
}
