import { request } from "node:http";
import type { Socket } from "node:net";
import { errorBodySchema, RbeeError, type Helper } from "@rbee/contract";

/** What both sides say in `Upgrade`. */
export const tunnelProtocol = "rbee-loan";

const openLimitMs = 10_000;
const answerLimit = 16 * 1024;

/**
 * Opens a connection to what another hive lends, through that hive's own port.
 * @returns the socket, and what has come already.
 * @throws {RbeeError} `hive_unreachable`, or what that hive answers.
 */
export function openTunnel(
  { url, name, loan_id, token }: Pick<Helper, "url" | "name" | "loan_id" | "token">,
  signal: AbortSignal,
): Promise<{ socket: Socket; head: Buffer }> {
  return new Promise((resolve, reject) => {
    const target = new URL(`/v1/loans/${encodeURIComponent(loan_id)}/tunnel`, url);
    const call = request(target, {
      agent: false,
      headers: { authorization: `Bearer ${token}`, connection: "upgrade", upgrade: tunnelProtocol },
      signal: AbortSignal.any([signal, AbortSignal.timeout(openLimitMs)]),
    });
    call.on("error", (cause) => {
      reject(new RbeeError("hive_unreachable", `${name} cannot be reached from here at ${target.host}.`, { cause }));
    });
    call.on("upgrade", (_, socket, head) => {
      socket.setNoDelay(true);
      resolve({ socket, head });
    });
    call.on("response", (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text = `${text}${part}`.slice(0, answerLimit);
      });
      answer.on("error", () => {});
      answer.on("close", () => {
        reject(refusal(name, answer.statusCode ?? 0, text));
      });
    });
    call.end();
  });
}

function refusal(name: string, status: number, text: string): RbeeError {
  try {
    return RbeeError.fromBody(errorBodySchema.parse(JSON.parse(text)), "hive_invalid_response");
  } catch {
    return new RbeeError("hive_invalid_response", `${name} answered ${status} when asked for a tunnel.`);
  }
}
