import { UsageError } from "./failure.ts";

const shortestBeginning = 3;

/** `a1b2` and `worker:a1b2` both begin `worker:a1b2c3d4`. */
function isBeginning(wanted: string, id: string): boolean {
  const bare = wanted.slice(wanted.indexOf(":") + 1);
  return (
    bare.length >= shortestBeginning && (id.startsWith(wanted) || id.slice(id.indexOf(":") + 1).startsWith(wanted))
  );
}

/**
 * The one entry that a person means by an id, the beginning of one, or a name (names are compared without case).
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
  const named = entries.filter((entry) => names.name(entry).toLowerCase() === wanted.toLowerCase());
  const found = named.length > 0 ? named : entries.filter((entry) => isBeginning(wanted, names.id(entry)));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (only !== undefined)
    throw new UsageError(
      named.length > 0
        ? `${found.length} ${what}s are called ${wanted}.`
        : `The ids of ${found.length} ${what}s begin with ${wanted}.`,
      `Name one by its id: ${found.map(names.id).join(", ")}.`,
    );
  throw new UsageError(
    `There is no ${what} ${wanted}.`,
    entries.length === 0 ? undefined : `There is ${entries.map(names.name).join(", ")}.`,
  );
}
