import { quote } from "../ssh/index.ts";
import type { Layout } from "../layout.ts";
import { aliveFunction } from "./alive.ts";
import { killAfterS, type HiveService } from "./service.ts";

/** How a hive ended: by itself, or only when it was killed; `absent` when none ran. */
export type StopEnd = "absent" | "ended" | "killed";

/**
 * Ends the hive of a machine, whoever started it, and waits until its process is gone: through its service first, then
 * by its lock. A hive that has not ended after its time for draining is killed. Prints how it ended.
 */
export function stopScript(service: HiveService, layout: Layout): string {
  return `${aliveFunction}
hive=${quote(layout.hive)}
before=$(hive_pid "$hive")
(
${service.stop(layout)}
)
if [ -z "$before" ]; then echo absent; exit 0; fi
gone() { [ "$(hive_pid "$hive")" != "$before" ]; }
gone || kill -TERM "$before" 2>/dev/null
n=0
while ! gone; do
  if [ $n -ge ${killAfterS * 5} ]; then kill -KILL "$before"; sleep 1; echo killed; exit 0; fi
  sleep 0.2 2>/dev/null || { sleep 1; n=$((n+4)); }
  n=$((n+1))
done
echo ended`;
}

/** What the script printed, as a value. */
export function readStopEnd(stdout: string): StopEnd {
  const word = stdout.trim().split("\n").at(-1);
  return word === "killed" || word === "ended" ? word : "absent";
}
