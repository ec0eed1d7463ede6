import { setTimeout as delay } from "node:timers/promises";
import { RbeeError, type LocalHiveMessage } from "@rbee/contract";
import { Pool, type Dispatcher } from "undici";

/** How long a broken connection may be ahead of the news that the process behind it has ended. */
const newsLimitMs = 200;
/** Of so many workers that have left it is known why. */
const leftKept = 64;

/** Workers of the queen's own machine, to which she speaks without their hive in between. */
export interface LocalWorkers {
  /** Straight to a worker; undefined when it is to be asked through its hive. */
  connections(workerId: string): Dispatcher | undefined;
  /** Why an answer that came this way was cut off; null when nobody knows within a moment. */
  diedOf(workerId: string): Promise<RbeeError | null>;
}

/** What the local hive tells of its workers, as connections to them. */
export interface LocalWorkersService extends LocalWorkers {
  hear(message: Exclude<LocalHiveMessage, { type: "listening" }>): void;
  /** The hive's process has ended, and its workers with it. */
  hiveEnded(): void;
}

interface Place {
  readonly pool: Pool;
  readonly left: Promise<RbeeError | null>;
  readonly leave: (error: RbeeError | null) => void;
  hasLeft: boolean;
}

/** Answers take their time, as on a hive's own connections to its workers. */
const openPool = (socketPath: string) =>
  new Pool("http://worker", { socketPath, connections: null, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });

function openPlace(socketPath: string): Place {
  const pool = openPool(socketPath);
  const { promise, resolve } = Promise.withResolvers<RbeeError | null>();
  const place: Place = {
    pool,
    left: promise,
    hasLeft: false,
    leave(error) {
      if (place.hasLeft) return;
      place.hasLeft = true;
      resolve(error);
      // What it is answering goes on for as long as it lives.
      pool.close().catch(() => {});
    },
  };
  return place;
}

export function createLocalWorkers(): LocalWorkersService {
  const places = new Map<string, Place>();

  const forgetOld = () => {
    const left = [...places].filter(([, { hasLeft }]) => hasLeft);
    for (const [workerId] of left.slice(0, Math.max(0, left.length - leftKept))) places.delete(workerId);
  };

  return {
    hear(message) {
      const { worker_id } = message;
      if (message.type === "worker_serves") {
        places.get(worker_id)?.leave(null);
        // One that was started again is among the last, too.
        places.delete(worker_id);
        places.set(worker_id, openPlace(message.socket_path));
        forgetOld();
      } else {
        const { error } = message;
        places.get(worker_id)?.leave(error === null ? null : RbeeError.fromBody({ error }, "worker_crashed"));
      }
    },
    hiveEnded() {
      for (const place of places.values())
        place.leave(new RbeeError("hive_unreachable", "The hive on this machine ended, and its workers with it."));
    },
    connections(workerId) {
      const place = places.get(workerId);
      return place === undefined || place.hasLeft ? undefined : place.pool;
    },
    async diedOf(workerId) {
      const place = places.get(workerId);
      if (place === undefined) return null;
      return Promise.race([place.left, delay(newsLimitMs, null, { ref: false })]);
    },
  };
}
