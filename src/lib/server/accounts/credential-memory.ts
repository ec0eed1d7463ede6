/** Values that are read once and hold until `forget()`. */
export interface Shelf<T> {
  /** The remembered value, or what `read` gives; what does not exist is not remembered. */
  recall(name: string, read: () => T | undefined): T | undefined;
}

/**
 * What the database said about credentials, so that a request that uses them again costs no reading. Everything that
 * changes people or keys calls `forget()` right after it wrote: nothing revoked is ever believed.
 */
export interface CredentialMemory {
  shelf<T>(): Shelf<T>;
  forget(): void;
}

export function createCredentialMemory(): CredentialMemory {
  const shelves: Map<string, unknown>[] = [];
  return {
    shelf<T>(): Shelf<T> {
      const values = new Map<string, T>();
      shelves.push(values);
      return {
        recall(name, read) {
          const known = values.get(name);
          if (known !== undefined) return known;
          const value = read();
          if (value !== undefined) values.set(name, value);
          return value;
        },
      };
    },
    forget() {
      for (const values of shelves) values.clear();
    },
  };
}
