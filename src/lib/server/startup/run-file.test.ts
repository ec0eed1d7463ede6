import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "#lib/server/testing/index.ts";
import { refuseSecondStart, removeRunFile, StartError, writeRunFile } from "./index.ts";

async function answeringServer(): Promise<number> {
  const server = createServer((_, response) => response.end("{}")).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** The id of another live process. */
function otherProcess(): number {
  const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"]);
  onTestFinished(() => void child.kill("SIGKILL"));
  return child.pid ?? 0;
}

describe("a second start", () => {
  it("is refused while the first queen answers, and says where it is", async () => {
    const home = temporaryFolder();
    const port = await answeringServer();
    writeRunFile(home, { pid: otherProcess(), port, host: "0.0.0.0", started_at: 0 });
    await expect(refuseSecondStart(home)).rejects.toThrow(StartError);
    await expect(refuseSecondStart(home)).rejects.toThrow(`http://127.0.0.1:${port}`);
  });

  it("is not hindered by what a killed queen left behind", async () => {
    const home = temporaryFolder();
    await refuseSecondStart(home);
    writeRunFile(home, { pid: otherProcess(), port: 9, host: "127.0.0.1", started_at: 0 });
    await refuseSecondStart(home);
    const port = await answeringServer();
    writeRunFile(home, { pid: 2 ** 22 + 1, port, host: "127.0.0.1", started_at: 0 });
    await refuseSecondStart(home);
  });

  it("keeps its run file when the first one ends late", () => {
    const home = temporaryFolder();
    writeRunFile(home, { pid: process.pid + 1, port: 1, host: "127.0.0.1", started_at: 0 });
    removeRunFile(home);
    expect(existsSync(join(home, "queen.json"))).toBe(true);
    writeRunFile(home, { pid: process.pid, port: 1, host: "127.0.0.1", started_at: 0 });
    removeRunFile(home);
    expect(existsSync(join(home, "queen.json"))).toBe(false);
  });
});
