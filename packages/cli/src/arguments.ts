import { InvalidArgumentError } from "commander";

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Parses `30d`, `12h`, `15m` or `90s` into seconds, for commander. */
export function seconds(text: string): number {
  const match = /^(\d+)([smhd])$/u.exec(text);
  const unit = units[match?.[2] ?? ""];
  if (match === null || unit === undefined) throw new InvalidArgumentError("Write a time like 90s, 15m, 12h or 30d.");
  return Number(match[1]) * unit;
}

/** A parser for whole numbers within bounds, for commander. */
export const wholeNumber =
  (minimum: number, maximum: number = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^-?\d+$/u.test(text) || value < minimum || value > maximum)
      throw new InvalidArgumentError(
        maximum === Number.MAX_SAFE_INTEGER
          ? `It must be a whole number of at least ${minimum}.`
          : `It must be a whole number from ${minimum} to ${maximum}.`,
      );
    return value;
  };

/** A parser for numbers within bounds, for commander. */
export const number =
  (minimum: number, maximum: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= minimum && value <= maximum))
      throw new InvalidArgumentError(`It must be a number from ${minimum} to ${maximum}.`);
    return value;
  };
