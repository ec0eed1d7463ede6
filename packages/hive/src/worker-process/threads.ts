/** What the rule for compute threads goes by. */
export interface Processor {
  /** Physical cores; null when the system does not say. */
  readonly cores: number | null;
  /** Those of them that are no efficiency cores; null when all are alike or nothing is told. */
  readonly fastCores: number | null;
  /** Threads that the processor can run at once. */
  readonly threads: number;
  /** Threads that this process may use, which a container or an affinity can keep below that. */
  readonly usableThreads: number;
}

/**
 * Compute threads of a CPU worker: the physical cores, less one when the queen works on the same machine, since
 * spinning threads suffer badly from company. Efficiency cores are left out: threads wait for one another at each step,
 * so one slow core slows all of them down. A setting overrides it.
 */
export function computeThreads(
  { cores, fastCores, threads, usableThreads }: Processor,
  { shared, setting }: { shared: boolean; setting: number | undefined },
): number {
  if (setting !== undefined) return setting;
  const physical = fastCores ?? cores ?? Math.max(1, Math.floor(threads / 2));
  return Math.max(1, Math.min(physical, usableThreads) - (shared ? 1 : 0));
}

/**
 * Threads of each CPU worker while several of them compute: an equal part of what one alone would have. More threads
 * than cores make every step wait for threads that are not running.
 * @param busy CPU workers that compute now.
 */
export const sharedThreads = (alone: number, busy: number): number =>
  Math.max(1, Math.floor(alone / Math.max(1, busy)));
