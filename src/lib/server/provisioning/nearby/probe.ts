import { apiVersion, hiveHealthSchema } from "@rbee/contract";
import { Agent, request } from "undici";
import { urlHost } from "#lib/server/network/index.ts";

const limitMs = 10_000;
/** A hive's answer is a line; whatever sends more is something else. */
const mostBytes = 16_384;

/** What answers at an address. */
export type Probe =
  | { readonly kind: "hive"; readonly hiveId: string; readonly version: string }
  /** Nothing listens there, or something that is no hive. */
  | { readonly kind: "no_hive"; readonly problem: string }
  | { readonly kind: "unreachable"; readonly problem: string };

/**
 * Asks whether a hive listens at an address, within 10 s; it needs no token and sends none. Never rejects.
 * @param host a name or an address
 */
export async function probeHive(host: string, port: number, signal?: AbortSignal): Promise<Probe> {
  const agent = new Agent({ connect: { timeout: 5_000 }, maxHeaderSize: 8_192 });
  try {
    const { statusCode, body } = await request(`http://${urlHost(host)}:${port}/health`, {
      dispatcher: agent,
      signal: AbortSignal.any([AbortSignal.timeout(limitMs), ...(signal === undefined ? [] : [signal])]),
      headers: { accept: "application/json" },
    });
    let text = "";
    for await (const chunk of body as AsyncIterable<Buffer>) {
      text += chunk.toString("utf8");
      if (text.length > mostBytes) break;
    }
    return readHealth(statusCode, text, port);
  } catch (error) {
    return failureOf(error, port);
  } finally {
    void agent.destroy();
  }
}

function readHealth(status: number, text: string, port: number): Probe {
  const other: Probe = { kind: "no_hive", problem: `Something that is no hive answers on port ${port}.` };
  if (status !== 200) return other;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return other;
  }
  const health = hiveHealthSchema.safeParse(value);
  if (health.success) {
    const { hive_id: hiveId, version } = health.data;
    return { kind: "hive", hiveId, version: version.slice(0, 64) };
  }
  const spoken: unknown = typeof value === "object" && value !== null ? Reflect.get(value, "api_version") : undefined;
  if (typeof spoken !== "string" || spoken === apiVersion) return other;
  return { kind: "no_hive", problem: `The hive there speaks ${spoken.slice(0, 16)}, this queen ${apiVersion}.` };
}

function failureOf(error: unknown, port: number): Probe {
  const { code = "", name = "" } = error as NodeJS.ErrnoException;
  switch (code) {
    case "ECONNREFUSED":
      return { kind: "no_hive", problem: `Nothing listens on port ${port}.` };
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return { kind: "unreachable", problem: "No address is known for its name." };
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EADDRNOTAVAIL":
      return { kind: "unreachable", problem: "No way leads to its address." };
    case "ETIMEDOUT":
    case "UND_ERR_CONNECT_TIMEOUT":
      return { kind: "unreachable", problem: "It does not answer." };
  }
  if (name === "TimeoutError") return { kind: "unreachable", problem: `It did not answer within ${limitMs / 1000} s.` };
  // Whatever took the connection and then spoke something else than HTTP.
  return { kind: "no_hive", problem: `Something that is no hive answers on port ${port}.` };
}
