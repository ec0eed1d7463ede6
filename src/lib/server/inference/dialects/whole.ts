import type { Reply } from "../reply.ts";

/** The value of a whole JSON answer. */
export function valueOf<T>({ body }: Reply): T {
  if (typeof body !== "string") throw new Error("a whole answer was asked for");
  return JSON.parse(body) as T;
}
