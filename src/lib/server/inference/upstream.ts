import type { Readable } from "node:stream";
import { errorBodySchema, RbeeError, type ChatRequest } from "@rbee/contract";
import { request, type Agent } from "undici";
import type { HiveConnection } from "#lib/server/hives/index.ts";

/** A hive's accepted answer: its body as it arrives. */
export interface Upstream {
  readonly body: Readable;
  readonly contentType: string;
  /** Drops the connection, which frees the worker's slot. */
  abort(): void;
}

/** Sends a chat to a worker through its hive. Rejects with `RbeeError`, or when the signal aborts. */
export type SendChat = (
  connection: HiveConnection,
  workerId: string,
  chat: ChatRequest,
  /** The id names the answer, so that it can be found in the logs. */
  context: { readonly requestId: string; readonly signal: AbortSignal },
) => Promise<Upstream>;

async function refusal(
  body: Readable,
  status: number,
  retryAfter: string | undefined,
  name: string,
): Promise<RbeeError> {
  const parts: Buffer[] = [];
  for await (const part of body) parts.push(part as Buffer);
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch {
    parsed = undefined;
  }
  const known = errorBodySchema.safeParse(parsed).data;
  const seconds = Number(retryAfter ?? Number.NaN);
  if (known !== undefined)
    return RbeeError.fromBody(known, "internal_error", Number.isFinite(seconds) ? seconds : undefined);
  return new RbeeError("hive_invalid_response", `${name} answered ${status} without an rbee error.`);
}

export function createSendChat(agent: Agent): SendChat {
  return async ({ baseUrl, token, name }, workerId, chat, { requestId, signal }) => {
    const controller = new AbortController();
    const answer = await request(`${baseUrl}/v1/workers/${encodeURIComponent(workerId)}/v1/chat/completions`, {
      method: "POST",
      dispatcher: agent,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", "x-request-id": requestId },
      body: JSON.stringify(chat),
      signal: AbortSignal.any([signal, controller.signal]),
    }).catch((cause: unknown) => {
      if (signal.aborted) throw cause;
      throw new RbeeError("hive_unreachable", `${name} does not answer.`, { cause });
    });
    const { body, headers, statusCode } = answer;
    // Whoever reads looks for errors too; this one catches what breaks between two readers.
    body.on("error", () => {});
    const header = (key: string) => {
      const value = headers[key];
      return Array.isArray(value) ? value[0] : value;
    };
    if (statusCode !== 200) throw await refusal(body, statusCode, header("retry-after"), name);
    return {
      body,
      contentType: header("content-type") ?? "application/json",
      abort() {
        controller.abort();
      },
    };
  };
}
