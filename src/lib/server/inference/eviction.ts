/** Above so many, every choice would take too long to try. */
const tryAllUpTo = 8;

/**
 * The fewest of these without which something fits; undefined when not even all of them would do. Of choices of the
 * same size, the one whose members stand furthest in front. Beyond eight the choice may not be the smallest, but
 * none in it is there for nothing.
 * @param order those to give up first in front.
 * @param fits whether it fits when these are gone; giving up more never makes it fit less.
 */
export function fewest<T>(order: readonly T[], fits: (gone: ReadonlySet<T>) => boolean): T[] | undefined {
  if (order.length === 0 || !fits(new Set(order))) return undefined;
  if (order.length > tryAllUpTo) return greedily(order, fits);
  for (let size = 1; size < order.length; size++)
    for (const choice of choices(order, size)) if (fits(new Set(choice))) return choice;
  return [...order];
}

function greedily<T>(order: readonly T[], fits: (gone: ReadonlySet<T>) => boolean): T[] {
  const gone: T[] = [];
  for (const next of order) {
    if (gone.length > 0 && fits(new Set(gone))) break;
    gone.push(next);
  }
  for (const one of gone.toReversed()) {
    const rest = gone.filter((each) => each !== one);
    if (rest.length > 0 && fits(new Set(rest))) gone.splice(gone.indexOf(one), 1);
  }
  return gone;
}

/** Every choice of `size` items, those in front first. */
function* choices<T>(items: readonly T[], size: number): Generator<T[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (const [index, first] of items.entries())
    for (const rest of choices(items.slice(index + 1), size - 1)) yield [first, ...rest];
}
