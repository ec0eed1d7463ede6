/** What a job does, ready to be run. */
export interface Operation {
  /** What it is about in a person's words. */
  readonly subject: string;
  /** Time limit of the whole job in milliseconds. */
  readonly timeoutMs: number;
  /** What it gives becomes the result's data. */
  readonly perform: (signal: AbortSignal) => unknown;
}
