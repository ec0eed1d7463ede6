import { once } from "node:events";
import { connect } from "node:net";

export interface SlowAnswer {
  readonly status: number;
  readonly body: string;
  readonly afterMs: number;
}

/** Sends a request whose body comes a byte at a time and never ends; resolves when the server closes the connection. */
export async function sendSlowly(
  url: string,
  headers: Readonly<Record<string, string>>,
  everyMs: number,
): Promise<SlowAnswer> {
  const { hostname, port, pathname, search, host } = new URL(url);
  const startedAt = performance.now();
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  let text = "";
  let answeredAt = 0;
  socket.setEncoding("utf8").on("data", (part: string) => {
    if (answeredAt === 0) answeredAt = performance.now();
    text += part;
  });
  // Writing to a connection that was just closed is what this client is for.
  socket.on("error", () => {});
  const lines = Object.entries({ host, "content-type": "application/json", "content-length": "100000", ...headers });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.write(`POST ${pathname}${search} HTTP/1.1\r\n${head}\r\n{`);
  const dripping = setInterval(() => socket.write(" "), everyMs);
  await once(socket, "close");
  clearInterval(dripping);
  const [, status = "0"] = /^HTTP\/1\.1 (\d{3})/u.exec(text) ?? [];
  return { status: Number(status), body: text.split("\r\n\r\n").at(-1) ?? "", afterMs: answeredAt - startedAt };
}
