import type { LocalHiveMessage } from "@rbee/contract";
import type { WorkerNews } from "../worker-process/worker-news.ts";

/** The channel to the queen that started this hive. */
export interface ParentChannel extends WorkerNews {
  listening(port: number): void;
  /** Calls back when the queen is gone, at once when it already is. */
  onGone(action: () => void): void;
}

/** The channel that Node gives a child process. A hive that should have one but has not is alone already. */
export function ipcParent(): ParentChannel {
  const tell = (message: LocalHiveMessage) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  return {
    listening(port) {
      tell({ type: "listening", port });
    },
    serves(workerId, socketPath) {
      tell({ type: "worker_serves", worker_id: workerId, socket_path: socketPath });
    },
    left(workerId, error) {
      tell({ type: "worker_left", worker_id: workerId, error: error?.toBody().error ?? null });
    },
    onGone: (action) => {
      if (!process.connected) {
        setImmediate(action);
        return;
      }
      process.once("disconnect", action);
    },
  };
}
