const frozen = new Set<number>();

/** Stops a process as it stands, as when its machine hangs. */
export function freeze(pid: number | null | undefined): void {
  if (typeof pid !== "number") throw new Error("there is no such process");
  process.kill(pid, "SIGSTOP");
  frozen.add(pid);
}

/** Lets go on what was frozen; in `afterAll` too, since a frozen process would outlive a test that fails. */
export function thawAll(): void {
  for (const pid of frozen) {
    try {
      process.kill(pid, "SIGCONT");
    } catch {
      // It was killed meanwhile.
    }
  }
  frozen.clear();
}
