import type * as z from "zod";
import { RbeeError } from "./errors.ts";

/** The path of a zod issue as OpenAI writes it in `param`: `messages[0].content`. */
function paramOf(path: readonly PropertyKey[], unknownKey?: string): string {
  const parts = unknownKey === undefined ? path : [...path, unknownKey];
  return parts.reduce<string>(
    (text, part) =>
      typeof part === "number" ? `${text}[${part}]` : text === "" ? String(part) : `${text}.${String(part)}`,
    "",
  );
}

type Issue = z.core.$ZodIssue;
const depth = (issues: readonly Issue[]) => Math.max(...issues.map(({ path }) => path.length));

/** Of something that may be one of several, the issues of the one that it came closest to; that one was meant. */
function meant(issue: Issue): Issue[] {
  if (issue.code !== "invalid_union") return [issue];
  const alternatives = issue.errors.map((issues) => issues.flatMap(meant)).filter((issues) => issues.length > 0);
  const closest = alternatives.toSorted((a, b) => depth(b) - depth(a))[0];
  if (closest === undefined || depth(closest) === 0) return [issue];
  return closest.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
}

/**
 * Parses what came from outside.
 * @throws {RbeeError} `invalid_request`: `param` names the first failing field and `details.fields` all of them.
 */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const fields = result.error.issues
    .flatMap(meant)
    .flatMap((issue) =>
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => ({ param: paramOf(issue.path, key), message: "is not supported here" }))
        : [{ param: paramOf(issue.path), message: issue.message }],
    );
  const first = fields[0] ?? { param: "", message: "is invalid" };
  throw new RbeeError(
    "invalid_request",
    first.param === "" ? `The request is invalid: ${first.message}.` : `\`${first.param}\`: ${first.message}.`,
    {
      param: first.param === "" ? undefined : first.param,
      details: { fields },
    },
  );
}

/**
 * Reads and parses a JSON body.
 * @throws {RbeeError} `invalid_request` when it is not JSON or does not match.
 */
export async function parseJsonBody<S extends z.ZodType>(schema: S, request: Request): Promise<z.output<S>> {
  let value: unknown;
  try {
    value = await request.json();
  } catch (cause) {
    throw new RbeeError("invalid_request", "The request body is not valid JSON.", {
      cause,
      suggestion: "Send a JSON object with `content-type: application/json`.",
    });
  }
  return parseInput(schema, value);
}
