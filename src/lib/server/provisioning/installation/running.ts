import { RbeeError } from "@rbee/contract";
import { narrate, step } from "@rbee/jobs";
import { drainS, killAfterS, readStopEnd, type StopEnd, stopScript } from "../service/index.ts";
import { type Remote, run } from "./remote.ts";

const stopLimitMs = (killAfterS + 20) * 1_000;

/**
 * The step `stop`: lets the hive of a machine finish its answers, ends it, and waits until its process is gone.
 * @throws {RbeeError} as running a command there does
 */
export function stopHive(remote: Remote): Promise<StopEnd> {
  return step("stop", { timeoutMs: stopLimitMs, message: `Stopping the hive on ${remote.name}` }, (signal) =>
    stopNow(remote, signal),
  );
}

/** The work of `stopHive` without the step around it. */
export async function stopNow(remote: Remote, signal: AbortSignal): Promise<StopEnd> {
  const { stdout } = await run(remote, "stop", stopScript(remote.service, remote.layout), signal, {
    timeoutMs: stopLimitMs - 5_000,
  });
  const end = readStopEnd(stdout);
  if (end === "killed")
    narrate({
      action: "killed",
      level: "warn",
      message: `The hive had not ended ${killAfterS} s after it was asked to (answers get ${drainS} s), so it was killed.`,
    });
  else
    narrate({ action: "stopped", message: end === "absent" ? "No hive ran there." : "The hive has ended by itself." });
  return end;
}

/**
 * The step `service`: puts the service into its place.
 * @throws {RbeeError} as running a command there does
 */
export function installService(remote: Remote, autoStart: boolean): Promise<void> {
  return step(
    "service",
    { timeoutMs: 30_000, message: `Setting up how the hive is run on ${remote.name}` },
    async (signal) => {
      const script = remote.service.install(remote.layout, { autoStart });
      const end = await run(remote, "service", script, signal, { allowFailure: true });
      if (end.exitCode === 4)
        narrate({
          action: "no_lingering",
          level: "warn",
          message: "The hive will only run while the account is signed in: lingering could not be turned on.",
          data: { suggestion: `Run there: sudo loginctl enable-linger ${remote.machine.target.user}` },
        });
      else if (end.exitCode !== 0)
        throw new RbeeError(
          "ssh_command_failed",
          `The service could not be set up on ${remote.name}: ${lastLine(end)}`,
          {
            details: { step: "service", exit_code: end.exitCode, last_lines: end.stderr.trim().split("\n").slice(-10) },
            suggestion: "Check that the account may have services of its own there.",
          },
        );
      narrate({ action: "service_ready", message: `The hive runs ${remote.service.words}.` });
      if (remote.service.kind === "none")
        narrate({
          action: "no_service_manager",
          level: "warn",
          message: "It will not start by itself when the machine does.",
          data: {
            suggestion: "Start it from the dashboard or with `rbee hive start` after that machine has restarted.",
          },
        });
    },
  );
}

/**
 * The step `start`.
 * @throws {RbeeError} as running a command there does
 */
export function startHive(remote: Remote): Promise<void> {
  return step("start", { timeoutMs: 30_000, message: `Starting the hive on ${remote.name}` }, (signal) =>
    startNow(remote, signal),
  );
}

/** The work of `startHive` without the step around it. */
export async function startNow(remote: Remote, signal: AbortSignal): Promise<void> {
  const { stdout } = await run(remote, "start", remote.service.start(remote.layout), signal);
  const pid = /^\d+$/u.exec(stdout.trim())?.[0];
  if (pid !== undefined && pid !== "0") narrate({ action: "started", message: `The hive is process ${pid} there.` });
}

const lastLine = ({ stderr, stdout }: { stderr: string; stdout: string }) =>
  (stderr.trim() || stdout.trim()).split("\n").at(-1) ?? "it said nothing.";
