/** Progress of one piece of work, told to everybody who waits for it. */
type Listener<P> = (progress: P) => void;

interface Running<T, P> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  readonly listeners: Set<Listener<P>>;
  waiting: number;
}

/** Work of which two for the same key are one: whoever comes second waits for the first. */
export class Shared<T, P> {
  readonly #running = new Map<string, Running<T, P>>();

  /**
   * Waits for the running work of this key, or starts it. It is aborted when everybody who waited has gone.
   * @throws The work's error, or the reason of the caller's own signal.
   */
  async do(
    key: string,
    work: (signal: AbortSignal, onProgress: Listener<P>) => Promise<T>,
    listener: Listener<P>,
    signal?: AbortSignal,
  ): Promise<T> {
    signal?.throwIfAborted();
    const running = this.#running.get(key) ?? this.#start(key, work);
    running.waiting += 1;
    running.listeners.add(listener);
    const gone = Promise.withResolvers<never>();
    const leave = () => {
      running.listeners.delete(listener);
      // The next to ask must not join work that is being aborted.
      if (running.waiting === 1 && this.#running.get(key) === running) this.#running.delete(key);
      if (running.waiting === 1) running.controller.abort(signal?.reason);
      // What is aborted has cleaned up behind itself before the caller hears of it.
      const settled = running.waiting === 1 ? running.promise : Promise.resolve();
      void settled.then(noop, noop).then(() => {
        gone.reject(signal?.reason);
      });
    };
    signal?.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([running.promise.catch((error: unknown) => fail(error, signal)), gone.promise]);
    } finally {
      running.waiting -= 1;
      running.listeners.delete(listener);
      signal?.removeEventListener("abort", leave);
    }
  }

  #start(key: string, work: (signal: AbortSignal, onProgress: Listener<P>) => Promise<T>): Running<T, P> {
    const controller = new AbortController();
    const listeners = new Set<Listener<P>>();
    const tell = (progress: P) => {
      for (const listener of listeners) listener(progress);
    };
    const promise = work(controller.signal, tell);
    const running: Running<T, P> = { promise, controller, listeners, waiting: 0 };
    this.#running.set(key, running);
    const forget = () => {
      if (this.#running.get(key) === running) this.#running.delete(key);
    };
    promise.then(forget, forget);
    return running;
  }
}

const noop = () => {};

function fail(error: unknown, signal: AbortSignal | undefined): never {
  throw signal?.aborted === true ? signal.reason : error;
}
