import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { heartbeatSchema, parseInput, RbeeError, toRbeeError } from "@rbee/contract";
import type { Logger } from "pino";
import { senderAddress } from "#lib/server/network/index.ts";
import type { Hives } from "./types.ts";

const bodyLimit = 1024 * 1024;
const accepted = JSON.stringify({ ok: true });

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > bodyLimit) throw new RbeeError("payload_too_large", "The request body is too large.");
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RbeeError("invalid_request", "The request body is not valid JSON.", { cause });
  }
}

function send(response: ServerResponse, status: number, headers: Record<string, string>, body: string): void {
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body);
}

/**
 * Answers `POST /v1/hive-heartbeat` in front of SvelteKit, whose own work for a request costs several times what a
 * heartbeat does, and a household's hives send one each second. The route does the same through the same service.
 */
export function heartbeatListener(hives: Pick<Hives, "heartbeat">, log: Logger): RequestListener {
  const take = async (request: IncomingMessage) => {
    const { authorization, "x-forwarded-for": forwarded } = request.headers;
    const token = /^Bearer +(\S+) *$/iu.exec(authorization ?? "")?.[1];
    if (token === undefined) throw new RbeeError("missing_api_key", "This needs the hive's token.");
    const heartbeat = parseInput(heartbeatSchema, parseJson(await readText(request)));
    const forwardedFor = Array.isArray(forwarded) ? forwarded.at(-1) : forwarded;
    hives.heartbeat(heartbeat, token, senderAddress(request.socket.remoteAddress ?? "", forwardedFor));
  };
  return (request, response) => {
    take(request).then(
      () => {
        send(response, 200, { "content-type": "application/json" }, accepted);
      },
      (thrown: unknown) => {
        if (response.destroyed) return;
        const error = toRbeeError(thrown);
        if (error.code === "internal_error") log.error({ err: thrown }, "heartbeat failed");
        send(response, error.status, error.headers(), JSON.stringify(error.toBody()));
      },
    );
  };
}
