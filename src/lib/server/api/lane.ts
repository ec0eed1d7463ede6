import { laneSchema, RbeeError, type Lane } from "@rbee/contract";

/**
 * The lane that a request asks for in its `X-Rbee-Lane` header; `interactive` when it asks for none.
 * @throws {RbeeError} `invalid_request` for a lane that does not exist.
 */
export function laneOf(header: string | null): Lane {
  if (header === null) return "interactive";
  const asked = laneSchema.safeParse(header.trim().toLowerCase());
  if (asked.success) return asked.data;
  throw new RbeeError("invalid_request", `There is no lane "${header.slice(0, 40)}".`, {
    param: "x-rbee-lane",
    details: { lanes: laneSchema.options },
    suggestion: `Send ${laneSchema.options.join(" or ")}, or leave the header out.`,
  });
}
