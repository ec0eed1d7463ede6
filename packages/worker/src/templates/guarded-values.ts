import type { MarkerGuard, PromptPart } from "./literal-markers.ts";

/** Anything that JSON can say. */
export type Json = string | number | boolean | null | undefined | readonly Json[] | { readonly [key: string]: Json };

/** Values that can be rendered without control-token texts, and the way back. */
export interface GuardedValues<T> {
  readonly values: T;
  reveal(rendered: string): PromptPart[];
}

/** Every text of a value, keys included, in a fixed order. */
function collect(value: Json, texts: string[]): void {
  if (typeof value === "string") texts.push(value);
  else if (Array.isArray(value)) for (const item of value as readonly Json[]) collect(item, texts);
  else if (typeof value === "object" && value !== null)
    for (const [key, inner] of Object.entries(value)) {
      texts.push(key);
      collect(inner as Json, texts);
    }
}

function rebuild(value: Json, next: () => string): Json {
  if (typeof value === "string") return next();
  if (Array.isArray(value)) return (value as readonly Json[]).map((item) => rebuild(item, next));
  if (typeof value !== "object" || value === null) return value;
  const copy: Record<string, Json> = {};
  for (const inner of Object.values(value)) {
    const key = next();
    copy[key] = rebuild(inner as Json, next);
  }
  return copy;
}

/** Hides control-token texts wherever they stand in a value. */
export function guardValues<T extends Json>(guard: MarkerGuard, value: T): GuardedValues<T> {
  const texts: string[] = [];
  collect(value, texts);
  const { contents, reveal } = guard.hide(texts);
  const left = contents.values();
  return { values: rebuild(value, () => left.next().value ?? "") as T, reveal };
}
