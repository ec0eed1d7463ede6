import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/**
 * Passes bytes both ways, held back only as far as the slower side needs, until either side ends; then both do.
 * @param head what had come from outside before.
 * @param onClosed called once, when both are gone.
 */
export function join(outside: Duplex, inside: Socket, head: Buffer, onClosed: () => void): void {
  const noDelay: unknown = Reflect.get(outside, "setNoDelay");
  if (typeof noDelay === "function") noDelay.call(outside, true);
  let open = 2;
  for (const [one, other] of [
    [outside, inside],
    [inside, outside],
  ] as const) {
    one.on("error", () => {});
    // What one side has said before it ended still reaches the other.
    one.on("end", () => other.end());
    one.on("close", () => {
      other.end();
      open -= 1;
      if (open === 0) onClosed();
    });
  }
  if (head.length > 0) inside.write(head);
  outside.pipe(inside, { end: false });
  inside.pipe(outside, { end: false });
}
