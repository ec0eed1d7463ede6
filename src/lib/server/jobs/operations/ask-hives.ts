import { inParallel, narrate, step } from "@rbee/jobs";
import type { HivesService } from "#lib/server/hives/index.ts";

/** A hive answers within 10 s or counts as unreachable; the step's own limit is for what else may hang. */
const askLimitMs = 15_000;

/**
 * Asks every enrolled hive at once what it can do; each is a step of its own.
 * @returns how many answered.
 * @throws {RbeeError} when any did not, after all have been asked, with the error of the first.
 */
export async function askHives({ registry, contact }: Pick<HivesService, "registry" | "contact">): Promise<number> {
  const hives = registry.all();
  if (hives.length === 0) narrate({ action: "no_hives", message: "The household has no machine yet." });
  const answers = await inParallel(
    hives,
    (hive) =>
      step("capabilities", { timeoutMs: askLimitMs, message: `Asking ${hive.name} what it can do` }, async () => {
        const { models, devices, version } = await contact.ask(hive);
        const found = `${models.length} ${models.length === 1 ? "model" : "models"}`;
        narrate({ action: "reachable", message: `${hive.name} answers: rbee ${version}, ${found}.` });
        return { hive_id: hive.hiveId, version, models: models.length, devices: devices.length };
      }),
    { name: (hive) => hive.name, actor: (hive) => `hive:${hive.name}` },
  );
  return answers.length;
}
