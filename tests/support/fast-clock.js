/**
 * Preloaded (`node --import`) into a process under test, it makes that process live ten times as fast: its timers run
 * and its stopwatch ticks at ten times their speed. A minute of waiting then takes six seconds of the test's.
 */
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers/promises";

const factor = 10;

const now = performance.now.bind(performance);
performance.now = () => now() * factor;

/** @type {(name: "setTimeout" | "setInterval") => void} */
const hasten = (name) => {
  const original = globalThis[name];
  /** @type {any} */
  const fast = (/** @type {any} */ action, /** @type {number} */ ms = 0, /** @type {any[]} */ ...values) =>
    original(action, ms / factor, ...values);
  Object.defineProperties(fast, Object.getOwnPropertyDescriptors(original));
  globalThis[name] = fast;
};
hasten("setTimeout");
hasten("setInterval");

const { setTimeout: delay } = timers;
timers.setTimeout = (ms = 0, value, options) => delay(ms / factor, value, options);
syncBuiltinESMExports();
