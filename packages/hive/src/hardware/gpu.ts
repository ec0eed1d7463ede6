import type { Backend, GpuTelemetry } from "@rbee/contract";

/** A GPU (or a slice of one) as its vendor's tool describes it now. What the tool does not know is null. */
export interface Gpu extends GpuTelemetry {
  /** The backend that drives it natively. */
  readonly backend: Exclude<Backend, "cpu" | "vulkan">;
  readonly compute_capability: string | null;
  /** Shares the machine's main memory, so that its memory is judged with that. */
  readonly unified_memory: boolean;
  /** What a worker process needs in its environment to see this device and no other. */
  readonly worker_env: Readonly<Record<string, string>>;
}

/** One vendor's way to know its GPUs. */
export interface GpuSource {
  /** Resolves when the GPUs are known, or it is clear that there are none; takes at most a few seconds. */
  start(): Promise<void>;
  /** The GPUs with their latest readings; cheap, called once a second. */
  read(): Promise<readonly Gpu[]>;
  /**
   * Memory that processes hold on this vendor's GPUs, in MB by process id; undefined when the vendor's tool cannot
   * tell. Cheap; the first call only begins to ask.
   */
  processMemory?(): ReadonlyMap<number, number>;
  stop(): void;
}
