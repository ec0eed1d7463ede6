import { STATUS_CODES, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { toRbeeError } from "@rbee/contract";
import type { Loans } from "../loans/loans.ts";
import { tunnelProtocol } from "../loans/tunnel-client.ts";
import type { TokenGate } from "./authentication.ts";

const tunnelPath = /^\/v1\/loans\/([^/?]+)\/tunnel$/u;

/** Connections that leave HTTP behind: those to what this hive lends, and no others. */
export class LoanTunnels {
  readonly #gate: TokenGate;
  readonly #loans: Loans;

  constructor({ gate, loans }: { gate: TokenGate; loans: Loans }) {
    this.#gate = gate;
    this.#loans = loans;
  }

  /** Whether a request asks for such a connection. */
  isFor({ headers }: IncomingMessage): boolean {
    return headers.upgrade?.toLowerCase() === tunnelProtocol;
  }

  /** Answers a request with `Upgrade`: 101 and then bytes both ways, or an error like any other. */
  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Who hangs up during the answer is nobody's trouble.
    socket.on("error", () => {});
    try {
      const join = this.#open(request);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${tunnelProtocol}\r\n\r\n`);
      join(socket, head);
    } catch (thrown) {
      const error = toRbeeError(thrown);
      const body = JSON.stringify(error.toBody());
      const headers = { ...error.headers(), "content-length": String(Buffer.byteLength(body)), connection: "close" };
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.end(`HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? "Error"}\r\n${lines.join("")}\r\n${body}`);
    }
  }

  #open({ url = "", headers }: IncomingMessage): (outside: Duplex, head: Buffer) => void {
    const id = decoded(tunnelPath.exec(url)?.[1] ?? "");
    if (!this.#loans.allows(headers.authorization, id)) this.#gate.check(headers.authorization);
    return this.#loans.tunnel(id);
  }
}

function decoded(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    return "";
  }
}
