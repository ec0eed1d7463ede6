import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import type { Loan, RbeeError } from "@rbee/contract";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../testing/eventually.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { Borrowing, helperWatchMs } from "./borrowing.ts";

const loan: Loan = {
  ...{ loan_id: "loan:1", model: "big-bee", borrower: "attic", backend: "cpu", device: "cpu", pid: 1 },
  ...{ device_mb: 0, ram_mb: 1, loaded: false, started_at: 0 },
};

/** A worker's loan from a helper whose answers can be held up while its tunnel still carries, and sends back, bytes. */
async function borrowing() {
  const helper = { answers: true, toldLoaded: false };
  const tunnels = new Set<Socket>();
  const server = createServer((request, response) => {
    if (request.url?.includes("loaded=true") === true) helper.toldLoaded = true;
    if (!helper.answers) request.socket.destroy();
    else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(loan));
  });
  server.on("upgrade", (_, socket: Socket) => {
    tunnels.add(socket);
    socket.on("error", () => {});
    socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: rbee-loan\r\n\r\n");
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const clock = new ManualClock();
  const { port } = server.address() as AddressInfo;
  const borrowed = await Borrowing.open({
    model: "big-bee",
    helpers: [
      {
        ...{ hive_id: "hive:00000000-0000-4000-8000-000000000001", name: "cellar", loan_id: loan.loan_id },
        ...{ url: `http://127.0.0.1:${port}`, token: "t", device: "cpu", share: 0.4 },
      },
    ],
    clock,
  });
  onTestFinished(async () => {
    helper.answers = true;
    await borrowed.close();
    for (const socket of tunnels) socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  const lost: RbeeError[] = [];
  borrowed.whenLost((error) => lost.push(error));
  const [host = "", door = ""] = (borrowed.addresses[0] ?? "").split(":");
  const worker = connect({ host, port: Number(door) });
  let returned = 0;
  worker.on("data", (part: Buffer) => (returned += part.length));
  worker.on("error", () => {});
  const send = async () => {
    const before = returned;
    worker.write("x");
    await eventually("it is back", () => returned > before);
  };
  await send();
  const isWatching = () => clock.pending().length > 0 || lost.length > 0;
  const pass = async (ms: number, each: () => Promise<void> = () => Promise.resolve()) => {
    for (let passed = 0; passed < ms; passed += helperWatchMs.every) {
      await eventually("the helper is about to be asked", isWatching);
      await each();
      clock.advance(helperWatchMs.every);
    }
    await eventually("the helper has been asked", isWatching);
  };
  return { helper, borrowed, lost, send, pass };
}

describe("a helper that does not answer", () => {
  it("is gone after a short while once the model is loaded, whatever still moves", async () => {
    const { helper, borrowed, lost, send, pass } = await borrowing();
    borrowed.loaded();
    await pass(2_000);
    helper.answers = false;
    await pass(helperWatchMs.deadAfter - 1_000, send);
    expect(lost).toEqual([]);
    await pass(1_000, send);
    expect(lost).toMatchObject([{ code: "worker_crashed", message: expect.stringMatching(/^cellar, .* for 5 s\.$/u) }]);
  });

  it("is given longer while the model loads", async () => {
    const { helper, lost, pass } = await borrowing();
    await pass(2_000);
    helper.answers = false;
    await pass(helperWatchMs.deadAfterInLoad - 1_000);
    expect(lost).toEqual([]);
    await pass(1_000);
    expect(lost).toMatchObject([{ message: expect.stringMatching(/^cellar, .* for 20 s\.$/u) }]);
  });

  it("is there as long as it takes parts of the model, and is asked anew when that is loaded", async () => {
    const { helper, borrowed, lost, send, pass } = await borrowing();
    helper.answers = false;
    await pass(3 * helperWatchMs.deadAfterInLoad, send);
    await pass(helperWatchMs.deadAfterInLoad - 2_000);
    borrowed.loaded();
    await pass(helperWatchMs.deadAfter - 1_000);
    expect(lost).toEqual([]);
    helper.answers = true;
    await pass(helperWatchMs.deadAfter);
    expect(lost).toEqual([]);
  });
});

it("a helper is told at once that the model is loaded, since it misses its borrower sooner from then on", async () => {
  const { helper, borrowed } = await borrowing();
  expect(helper.toldLoaded).toBe(false);
  borrowed.loaded();
  // No time passes: the clock stands still.
  await eventually("it was told", () => helper.toldLoaded);
});
