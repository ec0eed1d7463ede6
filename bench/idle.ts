import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { startHousehold } from "../tests/support/household.ts";
import { processesUnder } from "./machine.ts";

export interface IdleRow {
  readonly name: string;
  /** Resident memory, in MB; what libraries share with others counts. */
  readonly rssMb: number;
}

/** How long a household is left alone before it is looked at. */
const settleMs = 30_000;

const rssMb = (pid: number): number =>
  Number(/^VmRSS:\s*(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/** What queen and hive hold in memory when nobody asks for anything (Linux). */
export async function benchIdle(): Promise<IdleRow[]> {
  const household = await startHousehold({});
  try {
    const hive = await household.readyHive();
    await delay(settleMs);
    const queen = household.queen.pid;
    const [hivePid] = processesUnder(queen);
    if (hivePid === undefined) throw new Error(`no process of ${hive.name}`);
    return [
      { name: "queen", rssMb: rssMb(queen) },
      { name: "hive", rssMb: rssMb(hivePid) },
    ];
  } finally {
    await household.stop();
  }
}
