import { RbeeError } from "@rbee/contract";
import { currentJobId } from "@rbee/jobs";
import { describeTarget, type SshTarget } from "./ssh/index.ts";

interface Holder {
  /** For people: `the installation`. */
  readonly what: string;
  readonly jobId: string | undefined;
}

/** Lets one operation at a time change a machine. A second one is refused rather than left waiting. */
export interface OneAtATime {
  /** @throws {RbeeError} `already_exists` naming the job that has the machine now, as far as it goes by this name. */
  refuseIfBusy(destination: string): void;
  /**
   * Does something with a machine that nothing else may touch meanwhile, whatever name it is called by. It is free
   * again when `work` has settled.
   * @param what the operation for people, for example `the installation`
   * @throws {RbeeError} `already_exists`, `invalid_request` for a destination that is none, and what `work` throws.
   */
  run<T>(destination: string, what: string, work: (target: SshTarget) => Promise<T>): Promise<T>;
}

export function createOneAtATime(resolve: (destination: string) => Promise<SshTarget>): OneAtATime {
  const held = new Map<string, Holder>();

  const refuseIfHeld = (key: string, name: string) => {
    const holder = held.get(key);
    if (holder === undefined) return;
    const { what, jobId } = holder;
    throw new RbeeError("already_exists", `Something else is being done with ${name} already: ${what}.`, {
      details: { machine: name, ...(jobId === undefined ? {} : { job_id: jobId }) },
      suggestion:
        jobId === undefined
          ? "Wait until it is over, then try again."
          : `Wait until ${jobId} is over, or cancel it: \`rbee job cancel ${jobId}\`.`,
    });
  };

  return {
    refuseIfBusy: (destination) => {
      refuseIfHeld(nameKey(destination), destination);
    },
    async run(destination, what, work) {
      const holder = { what, jobId: currentJobId() };
      const keys: string[] = [];
      const take = (key: string) => {
        refuseIfHeld(key, destination);
        held.set(key, holder);
        keys.push(key);
      };
      try {
        // Before anything waits, so that the next request finds it taken; the address comes as soon as it is known.
        take(nameKey(destination));
        const target = await resolve(destination);
        take(`address ${[...target.jumps, target].map(addressOf).join(" > ")}`);
        return await work(target);
      } finally {
        for (const key of keys) held.delete(key);
      }
    },
  };
}

const nameKey = (destination: string) => `name ${destination.trim()}`;
/** Without the account: two accounts of one machine would fight for the same port. */
const addressOf = (target: SshTarget) => describeTarget({ ...target, user: "" });
