import type { Queue, QueueEntry, RunningRequest } from "@rbee/contract";

/** What waits for one model and what it answers. */
export interface ModelQueue {
  readonly model: string;
  readonly waiting: readonly QueueEntry[];
  readonly running: readonly RunningRequest[];
}

/** The queue by model: those for which most wait first. */
export function byModel({ data, running }: Queue): ModelQueue[] {
  const names = [...new Set([...data, ...running].map(({ model }) => model))];
  return names
    .map((model) => ({
      model,
      waiting: data.filter((entry) => entry.model === model).toSorted((a, b) => a.position - b.position),
      running: running.filter((entry) => entry.model === model).toSorted((a, b) => b.running_s - a.running_s),
    }))
    .toSorted((a, b) => b.waiting.length - a.waiting.length || a.model.localeCompare(b.model));
}

/** Who has how many requests answered at once, the most first. Null is whoever may not be named. */
export function runningByPerson(
  running: readonly RunningRequest[],
): { user: string | null; mine: boolean; count: number }[] {
  const counts = new Map<string | null, { user: string | null; mine: boolean; count: number }>();
  for (const { user, mine } of running) {
    const known = counts.get(user) ?? { user, mine, count: 0 };
    counts.set(user, { ...known, count: known.count + 1 });
  }
  return [...counts.values()].toSorted((a, b) => b.count - a.count);
}

/** The place of the question that was asked last for this model; null when it does not wait for a slot. */
export function ownPlace({ data }: Queue, model: string): number | null {
  const own = data.filter(
    (entry) => entry.mine && entry.model === model && entry.lane === "interactive" && entry.waits_for === "slot",
  );
  return own.toSorted((a, b) => a.waiting_s - b.waiting_s)[0]?.position ?? null;
}
