import { laneSchema, RbeeError, type Lane } from "@rbee/contract";
import type { Person } from "#lib/server/accounts/index.ts";

/**
 * The lane that a request asks for in its `X-Rbee-Lane` header, else that of the API key it came with, else
 * `interactive`.
 * @throws {RbeeError} `invalid_request` for a lane that does not exist.
 */
export function laneOf(header: string | null, person: Pick<Person, "lane">): Lane {
  if (header === null) return person.lane ?? "interactive";
  const asked = laneSchema.safeParse(header.trim().toLowerCase());
  if (asked.success) return asked.data;
  throw new RbeeError("invalid_request", `There is no lane "${header.slice(0, 40)}".`, {
    param: "x-rbee-lane",
    details: { lanes: laneSchema.options },
    suggestion: `Send ${laneSchema.options.join(" or ")}, or leave the header out.`,
  });
}
