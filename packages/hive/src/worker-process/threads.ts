/**
 * Compute threads of a CPU worker: the physical cores, less one when the queen works on the same machine, since
 * spinning threads suffer badly from company. A setting overrides it.
 */
export function computeThreads(machine: {
  cores: number | null;
  threads: number;
  shared: boolean;
  setting: number | undefined;
}): number {
  if (machine.setting !== undefined) return machine.setting;
  const physical = machine.cores ?? Math.max(1, Math.floor(machine.threads / 2));
  return Math.max(1, physical - (machine.shared ? 1 : 0));
}
