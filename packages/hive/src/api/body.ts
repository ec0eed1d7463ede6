import { parseInput, RbeeError } from "@rbee/contract";
import type * as z from "zod";

const usualBytes = 64 * 1024;

async function readText(request: Request, largestBytes: number): Promise<string> {
  const tooLarge = () => new RbeeError("payload_too_large", `The request body is larger than ${largestBytes} bytes.`);
  if (Number(request.headers.get("content-length") ?? 0) > largestBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > largestBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/**
 * Reads and parses a small JSON body; a hive is never sent a large one but through the relay.
 * @throws {RbeeError} `invalid_request`, `payload_too_large`.
 */
export async function readBody<S extends z.ZodType>(
  schema: S,
  request: Request,
  largestBytes = usualBytes,
): Promise<z.output<S>> {
  const text = await readText(request, largestBytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RbeeError("invalid_request", "The request body is not valid JSON.", { cause });
  }
  return parseInput(schema, value);
}
