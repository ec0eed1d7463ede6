import type { Job, NearbyMachine } from "@rbee/contract";
import type { SshQuestion } from "./ssh-question.ts";
import { hiveIdOf, reportOf } from "./job-results.ts";

/** Where somebody who adds a machine is. */
export type AddStage =
  | "choose"
  | "looking"
  /** The machine is reached and asks for an answer. */
  | "question"
  /** What was found stands there to be read. */
  | "report"
  | "working"
  | "done"
  | "failed";

/** The stage that follows from the job there is. */
export function stageOf(job: Job | null, question: SshQuestion | null): AddStage {
  if (job === null) return "choose";
  if (question !== null) return "question";
  if (job.state === "running") return job.operation === "hive_check" ? "looking" : "working";
  if (job.state !== "succeeded") return "failed";
  if (job.operation === "hive_check") return reportOf(job) === null ? "failed" : "report";
  return hiveIdOf(job) === null ? "failed" : "done";
}

/** The steps that a person sees counted, and which of them a stage belongs to. */
export const addSteps = ["choose", "connect", "check", "install"] as const;
export type AddStep = (typeof addSteps)[number];

/** The step of a stage; `done` when all of them are behind. */
export function addStepOf(stage: AddStage, operation: Job["operation"] | null): AddStep | "done" {
  if (stage === "choose" || stage === "done") return stage;
  if (stage === "report") return "check";
  if (stage === "working" || (stage === "failed" && operation !== "hive_check")) return "install";
  return "connect";
}

export interface Neighbours {
  /** A hive runs there that belongs to no household, or to another one. */
  readonly adoptable: readonly NearbyMachine[];
  /** Machines that could get one. */
  readonly installable: readonly NearbyMachine[];
}

/** Machines that are not in the household yet, the likely ones first. */
export function neighboursOf(machines: readonly NearbyMachine[]): Neighbours {
  const order: Record<NearbyMachine["state"], number> = {
    not_adopted: 0,
    no_hive: 1,
    unknown: 2,
    unreachable: 3,
    enrolled: 4,
  };
  const sorted = machines.toSorted(
    (one, other) => order[one.state] - order[other.state] || one.name.localeCompare(other.name),
  );
  return {
    adoptable: sorted.filter(({ state }) => state === "not_adopted"),
    installable: sorted.filter(({ state }) => state !== "not_adopted" && state !== "enrolled"),
  };
}

/** The address of the flow for a machine that was picked elsewhere. */
export function addHref(machine: Pick<NearbyMachine, "target" | "address" | "state" | "hive_port">): string {
  const query = new URLSearchParams({ target: machine.target ?? machine.address ?? "" });
  if (machine.hive_port !== null) query.set("port", String(machine.hive_port));
  if (machine.state === "not_adopted") query.set("then", "adopt");
  return `/machines/add?${query.toString()}`;
}
