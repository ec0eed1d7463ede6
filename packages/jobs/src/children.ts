/** A promise that knows whether anybody waits for it, and whose `then`s are children of the same job. */
class ChildPromise<T> extends Promise<T> {
  #observed = false;
  #adopt: ((derived: ChildPromise<unknown>) => void) | undefined;

  static of<T>(promise: Promise<T>, adopt: (child: ChildPromise<unknown>) => void): ChildPromise<T> {
    const child = new ChildPromise<T>((resolve) => {
      resolve(promise);
    });
    child.#adopt = adopt;
    adopt(child);
    return child;
  }

  get observed(): boolean {
    return this.#observed;
  }

  /** Watches without counting as somebody who waits. */
  settle(done: () => void, failed: (error: unknown) => void): void {
    super.then(done, failed);
  }

  // `await` and Promise.all call this too, since the class is not Promise itself.
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#observed = true;
    const derived = super.then(onFulfilled, onRejected);
    if (this.#adopt !== undefined && derived instanceof ChildPromise) {
      derived.#adopt = this.#adopt;
      this.#adopt(derived);
    }
    return derived;
  }
}

interface Child {
  promise: ChildPromise<unknown>;
  /** True once nobody waits for it any more, because the step around it was given up. */
  abandoned: () => boolean;
}

/** Everything that was started inside one job and has to settle before the job may end. */
export class Children {
  readonly #pending = new Set<Child>();
  readonly #failed: { child: Child; error: unknown }[] = [];
  readonly #waiting = new Set<() => void>();

  /** Makes `promise` a child. Give the answer, not `promise`, to whoever may wait for it. */
  track<T>(promise: Promise<T>, abandoned: () => boolean): Promise<T> {
    return ChildPromise.of(promise, (child) => {
      this.#adopt({ promise: child, abandoned });
    });
  }

  /** Resolves when no child is pending, children of children included. */
  async settled(): Promise<void> {
    do {
      while (this.#isPending())
        await new Promise<void>((resolve) => {
          this.#waiting.add(resolve);
        });
      // Whoever waited for the last child runs on before this, and may start another.
      await new Promise((resolve) => setImmediate(resolve));
    } while (this.#isPending());
  }

  /** To be called when a scope was given up, since fewer children may count now. */
  recheck(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Why children failed that nobody waited for. */
  unheard(): unknown[] {
    return this.#failed.filter(({ child }) => !child.promise.observed && !child.abandoned()).map(({ error }) => error);
  }

  #adopt(child: Child): void {
    this.#pending.add(child);
    const settled = () => {
      this.#pending.delete(child);
      this.recheck();
    };
    child.promise.settle(settled, (error) => {
      this.#failed.push({ child, error });
      settled();
    });
  }

  #isPending(): boolean {
    for (const child of this.#pending) if (!child.abandoned()) return true;
    return false;
  }
}
