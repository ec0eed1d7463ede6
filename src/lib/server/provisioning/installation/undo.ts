import { cleanUp, narrate } from "@rbee/jobs";
import type { Parts } from "../parts.ts";
import { quote } from "../ssh/index.ts";
import { type Remote, run, writeText } from "./remote.ts";
import type { Changes } from "./replace.ts";
import { startNow, stopNow } from "./running.ts";
import { linkScript, readStanding, type Standing, standingScript, tidyScript, undoFirstScript } from "./trees.ts";

/** How a machine was before an installation began to change it. */
export interface Before {
  readonly standing: Standing;
  /** What stood in `hive.json`; null when there was none. */
  readonly identityText: string | null;
  readonly wasRunning: boolean;
  readonly autoStart: boolean;
}

const limitMs = 120_000;

/**
 * Puts a machine back after an installation that failed: a first one leaves nothing behind, a later one leaves the
 * version that ran before, running. Tells what could not be done; never throws, so that the first error stays the job's.
 */
export async function undo(parts: Parts, remote: Remote, before: Before, changes: Changes): Promise<void> {
  const { layout, service, name } = remote;
  const { touched, newHiveId, sourceIsNew } = changes;
  changes.stopExpecting();
  const { standing } = before;
  const isFirst = standing.current === null;
  const message = isFirst ? `Removing what was put on ${name}` : `Bringing back what ran on ${name} before`;
  try {
    await cleanUp(isFirst ? "clean_up" : "restore", { timeoutMs: limitMs, message }, async (signal) => {
      if (touched) await stopNow(remote, signal);
      const trees = readStanding((await run(remote, "look", standingScript(layout), signal)).stdout).trees;
      if (touched && !isFirst) {
        await run(
          remote,
          "restore",
          linkScript(layout, { current: standing.current ?? "", previous: standing.previous }),
          signal,
        );
        if (before.identityText !== null) await writeText(remote, layout.identity, before.identityText, signal);
        await run(remote, "service", service.install(layout, before), signal, { allowFailure: true });
      }
      if (sourceIsNew) await run(remote, "remove the sources", `rm -rf -- ${quote(layout.source)}*`, signal);
      if (isFirst) {
        if (touched) await run(remote, "service", service.remove(layout), signal, { allowFailure: true });
        if (before.identityText === null) await run(remote, "hive.json", `rm -f -- ${quote(layout.identity)}`, signal);
        else if (touched) await writeText(remote, layout.identity, before.identityText, signal);
        await run(remote, "clean_up", undoFirstScript(layout, standing, trees), signal);
        if (newHiveId !== null) parts.hives.forget(newHiveId);
        narrate({ action: "removed", message: `Nothing of it is left on ${name}.` });
      } else {
        await run(remote, "tidy", tidyScript(layout, trees, standing.trees), signal);
        if (touched && before.wasRunning) await startNow(remote, signal);
        const state = before.wasRunning ? "runs again" : "is in its place again";
        narrate({
          action: "restored",
          message: touched ? `${standing.current ?? ""} ${state}.` : `${standing.current ?? ""} was not touched.`,
        });
      }
    });
  } catch (error) {
    narrate({
      action: "not_cleaned_up",
      level: "warn",
      message: `What was begun on ${name} could not be undone: ${error instanceof Error ? error.message : "unknown error"}`,
      data: { suggestion: "The next installation removes what is left there." },
    });
  }
}
