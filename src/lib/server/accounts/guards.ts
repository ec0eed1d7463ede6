import { RbeeError } from "@rbee/contract";
import type { Person } from "./types.ts";

/** @throws {RbeeError} `missing_api_key` when nobody is signed in. */
export function requirePerson(person: Person | null): Person {
  if (person !== null) return person;
  throw new RbeeError("missing_api_key", "This needs an API key or a signed-in person.", {
    suggestion: "Send `Authorization: Bearer rbee_…`; keys are made in the dashboard under Keys.",
  });
}

/** @throws {RbeeError} `missing_api_key` when nobody is signed in, `forbidden` for everybody but an administrator. */
export function requireAdmin(person: Person | null): Person {
  const someone = requirePerson(person);
  if (someone.user.role === "admin") return someone;
  throw new RbeeError("forbidden", "Only an administrator may do this.");
}
