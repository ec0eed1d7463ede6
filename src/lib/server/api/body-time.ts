import { RbeeError } from "@rbee/contract";

/** What every body may take, in milliseconds. */
const shortestMs = 60_000;
/** So much more for what has come: half a megabit a second is fast enough for any body. */
const msPerByte = 1_000 / (64 * 1024);

/** The error of a request whose body comes too slowly. */
export const tooSlow = (): RbeeError =>
  new RbeeError("request_timeout", "The request's body did not arrive in time.", {
    suggestion: "Send it faster, or send less at once.",
  });

/** Watches that a body arrives in time, so that nobody can hold connections by sending a byte now and then. */
export class BodyTime {
  readonly #onLate: () => void;
  readonly #startedAt = performance.now();
  #bytes = 0;
  #timer: NodeJS.Timeout;

  constructor(onLate: () => void) {
    this.#onLate = onLate;
    this.#timer = setTimeout(this.#look, shortestMs);
  }

  arrived(bytes: number): void {
    this.#bytes += bytes;
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  readonly #look = (): void => {
    const leftMs = shortestMs + this.#bytes * msPerByte - (performance.now() - this.#startedAt);
    if (leftMs <= 0) this.#onLate();
    else this.#timer = setTimeout(this.#look, leftMs);
  };
}
