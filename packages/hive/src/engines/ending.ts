import type { ChildProcess } from "node:child_process";
import type { EngineEvents, ExitReason } from "./engine.ts";

/** A process that the ended one had started may keep its pipes open for ever. */
const lastWordsMs = 200;

/** Tells `events` exactly once how a process ended, after its last words where they are awaited. */
export function tellEnd(child: ChildProcess, events: EngineEvents, onEnd: () => void): void {
  let ended = false;
  const end = (reason: ExitReason, startError?: Error) => {
    if (ended) return;
    ended = true;
    onEnd();
    events.exit(reason, startError);
  };
  child.on("error", (error) => {
    if (child.pid === undefined) end("not started", error);
  });
  child.on("exit", (code, signal) => {
    const reason = signal === null ? `exit code ${code ?? "unknown"}` : `signal ${signal}`;
    if (!events.awaitsLastWords()) {
      end(reason);
      return;
    }
    const limit = setTimeout(() => {
      end(reason);
    }, lastWordsMs);
    child.once("close", () => {
      clearTimeout(limit);
      end(reason);
    });
  });
}
