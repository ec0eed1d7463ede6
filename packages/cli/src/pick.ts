import { UsageError } from "./failure.ts";

/**
 * The one entry that a person means by an id or a name (names are compared without case).
 * @throws {UsageError} when nothing or more than one thing is called that.
 */
export function pick<T>(
  entries: readonly T[],
  wanted: string,
  what: string,
  names: { id: (entry: T) => string; name: (entry: T) => string },
): T {
  const byId = entries.find((entry) => names.id(entry) === wanted);
  if (byId !== undefined) return byId;
  const found = entries.filter((entry) => names.name(entry).toLowerCase() === wanted.toLowerCase());
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (only !== undefined)
    throw new UsageError(
      `${found.length} ${what}s are called ${wanted}.`,
      `Name one by its id: ${found.map(names.id).join(", ")}.`,
    );
  throw new UsageError(
    `There is no ${what} ${wanted}.`,
    entries.length === 0 ? undefined : `There is ${entries.map(names.name).join(", ")}.`,
  );
}
