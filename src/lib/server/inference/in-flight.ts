/** How many requests this queen has at each worker, and how many still wait for one. */
export interface InFlight {
  at(workerId: string): number;
  running(): number;
  waiting(): number;
  /** Counts a request at a worker until the answer is called; calling it again does nothing. */
  enter(workerId: string): () => void;
  /** Counts a request that has no worker yet, until the answer is called. */
  wait(): () => void;
}

const once = (action: () => void): (() => void) => {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
};

export function createInFlight(): InFlight {
  const perWorker = new Map<string, number>();
  let running = 0;
  let waiting = 0;
  return {
    at: (workerId) => perWorker.get(workerId) ?? 0,
    running: () => running,
    waiting: () => waiting,
    enter(workerId) {
      running++;
      perWorker.set(workerId, (perWorker.get(workerId) ?? 0) + 1);
      return once(() => {
        running--;
        const left = (perWorker.get(workerId) ?? 1) - 1;
        if (left === 0) perWorker.delete(workerId);
        else perWorker.set(workerId, left);
      });
    },
    wait() {
      waiting++;
      return once(() => {
        waiting--;
      });
    },
  };
}
