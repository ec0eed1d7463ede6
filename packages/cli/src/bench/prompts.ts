import { randomInt } from "node:crypto";

const words = (
  "amber apple autumn bridge candle castle cloud copper desert dream feather forest garden harbour honey island " +
  "kettle ladder lantern marble meadow mirror morning mountain orchard paper pebble river saddle shadow silver " +
  "spring stone summer tower valley velvet village window winter"
).split(" ");

const word = () => words[randomInt(words.length)] ?? "bee";

/** A text of so many words that nobody has asked about before, so that no part of it is remembered. */
export const freshText = (count: number): string =>
  `${word()}${randomInt(100_000)} ${Array.from({ length: Math.max(0, count - 1) }, word).join(" ")}`;

/** A question whose answer is long. */
export const storyPrompt = (): string =>
  `${word()}${randomInt(100_000)}: tell me a long story about a ${word()}, a ${word()} and a ${word()}.`;
