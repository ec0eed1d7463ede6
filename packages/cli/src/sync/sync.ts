import type { JobRequest, SshAccess } from "@rbee/contract";
import type { Command } from "commander";
import { perform, type Context } from "../command.ts";
import type { Connection } from "../connection/connect.ts";
import { Failed } from "../failure.ts";
import { succeeded } from "../job/follow.ts";
import { jobVerb, runSshJob, runToEnd, type JobOptions } from "../job/run.ts";
import { canAsk, sshOptions, withHint, withSshAccess, type SshOptions } from "../ssh/access.ts";
import { outcomesOf, outcomeText, planOf, planTable, type MachineOutcome } from "./outcome.ts";

interface Options extends JobOptions, SshOptions {
  readonly dryRun?: boolean;
  readonly only?: string[];
}

interface Run {
  readonly context: Context;
  readonly connection: Connection;
  readonly options: Options;
}

const names = (text: string) =>
  text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");

const request = (dryRun: boolean, only: string[] | undefined, access: { ssh?: SshAccess }): JobRequest => ({
  operation: "hive_sync",
  dry_run: dryRun,
  ...(only === undefined ? {} : { only }),
  ...access,
});

/** Prints what a sync would do. */
async function showPlan({ context, connection, options }: Run): Promise<void> {
  const result = await runSshJob(context, connection, options, (access) => request(true, options.only, access));
  if (result === undefined || context.json) return;
  const plan = planOf(result);
  if (plan.length === 0) context.narrate("queen", "hives.conf declares no machine");
  else context.terminal.out(planTable(plan));
}

/** Asks a person what one machine needs and tries that machine again; what one host is told, no other hears. */
async function tryAgain({ context, connection, options }: Run, failed: MachineOutcome): Promise<MachineOutcome> {
  let latest = failed;
  try {
    await withSshAccess(context, {}, async (access) => {
      if (access.ssh !== undefined) {
        const result = await runToEnd(context, connection, request(false, [failed.alias], access), options);
        latest = (result === undefined ? [] : outcomesOf(result)).find(({ alias }) => alias === failed.alias) ?? latest;
      }
      if (latest.cause !== undefined) throw latest.cause;
    });
  } catch (error) {
    context.signal.throwIfAborted();
    // Whether it was refused or failed once more, the outcome says so.
    if (error instanceof Error && latest.error !== null && error !== latest.cause)
      return { ...latest, error: { ...latest.error, message: error.message } };
  }
  return latest;
}

/** What became of each machine; undefined when the sync was only started. */
async function syncAll(run: Run): Promise<MachineOutcome[] | undefined> {
  const { context, connection, options } = run;
  const result = await withSshAccess(context, options, (access) =>
    runToEnd(context, connection, request(false, options.only, access), options),
  );
  if (result === undefined) return undefined;
  const outcomes = outcomesOf(result);
  if (outcomes.length === 0) succeeded(result, context);
  const ended: MachineOutcome[] = [];
  for (const outcome of outcomes) ended.push(await settle(run, outcome));
  return ended;
}

async function settle(run: Run, outcome: MachineOutcome): Promise<MachineOutcome> {
  const { cause, error } = outcome;
  if (cause === undefined || error === null) return outcome;
  if (canAsk(run.context)) return tryAgain(run, outcome);
  return { ...outcome, error: { ...error, suggestion: withHint(cause, run.context).suggestion ?? null } };
}

/** `rbee sync`: what became of each machine goes to stdout; exit code 1 when one failed. */
export function sync(parent: Command): void {
  const command = jobVerb(parent, "sync", {
    summary: "make the machines what hives.conf says, all at once",
    examples: ["rbee sync --dry-run", "rbee sync", "rbee sync --only gaming-pc,attic"],
  })
    .option("--dry-run", "only say what would be done")
    .option("--only <names>", "only these machines of hives.conf, with commas between them", names);
  sshOptions(command).action((options: Options) =>
    perform(options, async (context) => {
      const run = { context, connection: context.connect(), options };
      if (options.dryRun === true) {
        await showPlan(run);
        return;
      }
      const outcomes = await syncAll(run);
      if (outcomes === undefined) return;
      if (outcomes.length === 0) context.narrate("queen", "hives.conf declares no machine");
      else if (!context.json) context.terminal.out(outcomeText(outcomes));
      if (outcomes.some(({ outcome }) => outcome === "failed")) throw new Failed();
    }),
  );
}
