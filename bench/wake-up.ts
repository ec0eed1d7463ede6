import { fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { temporaryFolder } from "../tests/support/folder.ts";
import { median } from "./statistics.ts";

/** What a byte takes to another Node process over a Unix socket and back: the median, in milliseconds. */
export interface WakeUpResult {
  /** Sent as soon as the last one is back, so that nobody sleeps. */
  readonly awakeMs: number;
  /** Sent when both have slept for a while, as they do between two chats. */
  readonly asleepMs: number;
}

const bytes = 500;
const sleepMs = 3;

/** What any process costs that stands in between, before it has done anything. */
export async function benchWakeUp(): Promise<WakeUpResult> {
  const folder = temporaryFolder("bench-wake-up");
  const path = join(folder.path, "echo.sock");
  const echo = fork(join(import.meta.dirname, "echo.ts"), [path], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  try {
    await once(echo, "message");
    const socket = connect(path);
    await once(socket, "connect");
    const trip = async () => {
      const started = performance.now();
      socket.write("x");
      await once(socket, "data");
      return performance.now() - started;
    };
    const trips = async (pauseMs: number) => {
      const times: number[] = [];
      for (let count = 0; count < bytes; count += 1) {
        if (pauseMs > 0) await delay(pauseMs);
        times.push(await trip());
      }
      return median(times);
    };
    await trips(0);
    const result = { awakeMs: await trips(0), asleepMs: await trips(sleepMs) };
    socket.destroy();
    return result;
  } finally {
    echo.kill();
    folder.remove();
  }
}
