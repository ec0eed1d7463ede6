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
    // One of its own for each caller: two may hand in the same function.
    const tell: Listener<P> = (progress) => {
      listener(progress);
    };
    running.waiting += 1;
    running.listeners.add(tell);
    const gone = Promise.withResolvers<never>();
    const leave = () => {
      running.waiting -= 1;
      running.listeners.delete(tell);
      if (running.waiting > 0) {
        gone.reject(signal?.reason);
        return;
      }
      // Whoever asks next must not join work that is being aborted, and who leaves last hears when it has cleaned up.
      if (this.#running.get(key) === running) this.#running.delete(key);
      running.controller.abort(signal?.reason);
      const reject = () => {
        gone.reject(signal?.reason);
      };
      running.promise.then(reject, reject);
    };
    signal?.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([gone.promise, running.promise]);
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error;
    } finally {
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
