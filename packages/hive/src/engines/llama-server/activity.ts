import * as z from "zod";

/** What `/slots` tells of a slot; older versions give one object where newer ones give a list. */
const progressSchema = z.object({ n_decoded: z.number().default(0) });
const slotSchema = z.object({
  id: z.number(),
  is_processing: z.boolean(),
  id_task: z.number().optional(),
  next_token: z.union([z.array(progressSchema), progressSchema.transform((one) => [one])]).optional(),
});
const slotsSchema = z.array(slotSchema);

export interface SlotsReading {
  readonly busy: number;
  /** Tokens that each running task has produced, by slot and task. */
  readonly decoded: ReadonlyMap<string, number>;
}

/** Reads the answer of `/slots`; null when it is not in its format. */
export function readSlots(value: unknown): SlotsReading | null {
  const parsed = slotsSchema.safeParse(value);
  if (!parsed.success) return null;
  const running = parsed.data.filter(({ is_processing }) => is_processing);
  const decoded = running.map(({ id, id_task, next_token }): [string, number] => [
    `${id}:${id_task ?? 0}`,
    (next_token ?? []).reduce((sum, { n_decoded }) => sum + n_decoded, 0),
  ]);
  return { busy: running.length, decoded: new Map(decoded) };
}

/** Tokens that were produced between two readings: what a task had when it ended in between is not known. */
export function decodedBetween(before: SlotsReading | null, after: SlotsReading): number {
  let tokens = 0;
  for (const [task, decoded] of after.decoded) tokens += Math.max(0, decoded - (before?.decoded.get(task) ?? 0));
  return tokens;
}
