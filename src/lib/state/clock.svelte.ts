import { createContext, onMount } from "svelte";

/** The queen's time, ticking once a second, so that relative times are right on devices whose clock is off. */
export class Clock {
  /** Unix milliseconds on the queen. */
  now = $state(0);
  /** False until the page runs in the browser: exact local times are only known from then on. */
  mounted = $state(false);
  #offsetMs = 0;

  constructor(queenNow: number) {
    this.now = queenNow;
    this.#offsetMs = queenNow - Date.now();
  }

  /** Sets the clock by a message that the queen has just sent. */
  set(queenNow: number): void {
    this.#offsetMs = queenNow - Date.now();
    this.now = queenNow;
  }

  tick(): void {
    this.now = Date.now() + this.#offsetMs;
  }
}

export const [getClock, provideClock] = createContext<Clock>();

/** Makes the clock of a page tree and starts it in the browser. */
export function startClock(queenNow: number): Clock {
  const clock = provideClock(new Clock(queenNow));
  onMount(() => {
    clock.mounted = true;
    const timer = setInterval(() => {
      clock.tick();
    }, 1000);
    return () => {
      clearInterval(timer);
    };
  });
  return clock;
}
