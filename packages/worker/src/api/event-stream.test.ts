import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { until } from "../../test/worker-process.ts";
import { EventStream } from "./event-stream.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A real connection: our end of it, and the reader's. */
async function connect(): Promise<{ ours: ServerResponse; theirs: Promise<IncomingMessage> }> {
  const arrived = Promise.withResolvers<ServerResponse>();
  const listening = createServer((_, response) => {
    arrived.resolve(response);
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const theirs = new Promise<IncomingMessage>((resolve, reject) =>
    get({ port, agent: false }, resolve).on("error", reject),
  );
  return { ours: await arrived.promise, theirs };
}

const render = (text: string) => `data: ${text}\n\n`;
const merge = (one: string, next: string) => one + next;
const read = async (message: IncomingMessage) => {
  let text = "";
  for await (const part of message.setEncoding("utf8")) text += String(part);
  return text;
};

describe("EventStream", () => {
  it("notices a reader that had left before it began", async () => {
    const { ours, theirs } = await connect();
    theirs.catch(() => {});
    ours.destroy();
    await until("the connection is closed", () => ours.closed);
    let gone = 0;
    new EventStream(ours, { render, merge, comment: () => "", onGone: () => gone++ }, 20);
    expect(gone).toBe(1);
  });

  it("sends headers soon and says what it waits for while it is silent", async () => {
    const { ours, theirs } = await connect();
    const stream = new EventStream(ours, { render, merge, comment: () => "prefill 5/9", onGone: () => {} }, 20);
    const message = await theirs;
    expect(message.headers["content-type"]).toContain("text/event-stream");
    const text = read(message);
    await until("two comments", () => ours.writableLength === 0 && (ours.socket?.bytesWritten ?? 0) > 300);
    stream.send("hello");
    stream.end("data: [DONE]\n\n");
    expect(await text).toMatch(/^(: prefill 5\/9\n\n)+data: hello\n\ndata: \[DONE\]\n\n$/u);
  });

  it("sends the first event at once, and those that come right after each other together", async () => {
    const { ours, theirs } = await connect();
    const writes: string[] = [];
    const write = ours.write.bind(ours) as (chunk: string) => boolean;
    ours.write = (chunk: unknown) => {
      writes.push(String(chunk));
      return write(String(chunk));
    };
    const stream = new EventStream(ours, { render, merge, comment: () => "", onGone: () => {} }, 60_000, 300);
    for (const text of ["one", "two", "three"]) stream.send(text);
    expect(writes).toEqual([render("one")]);
    await until("the others came", () => writes.length > 1);
    expect(writes).toEqual([render("one"), render("two") + render("three")]);
    stream.send("four");
    stream.end("data: [DONE]\n\n");
    expect(await read(await theirs)).toBe(["one", "two", "three", "four", "[DONE]"].map(render).join(""));
  });

  it("gathers text for a slow reader and loses none of it", async () => {
    const { ours, theirs } = await connect();
    let events = 0;
    const counted = (text: string) => {
      events++;
      return render(text);
    };
    const stream = new EventStream(ours, { render: counted, merge, comment: () => "", onGone: () => {} });
    const message = await theirs;
    const piece = "x".repeat(1000);
    for (let count = 0; count < 5000; count++) stream.send(piece);
    const sentBeforeReading = events;
    expect(sentBeforeReading).toBeLessThan(5000);
    stream.end("");
    const text = await read(message);
    expect(text.replaceAll(/data: |\n/gu, "")).toBe("x".repeat(5_000_000));
  });

  it("tells when the reader leaves before the end, and not after it", async () => {
    const { ours, theirs } = await connect();
    let gone = 0;
    const stream = new EventStream(ours, { render, merge, comment: () => "", onGone: () => gone++ });
    (await theirs).destroy();
    await until("gone", () => gone === 1);
    stream.send("nobody hears this");

    const second = await connect();
    const finished = new EventStream(second.ours, { render, merge, comment: () => "", onGone: () => gone++ });
    finished.end("data: [DONE]\n\n");
    await read(await second.theirs);
    await until("closed", () => second.ours.closed);
    expect(gone).toBe(1);
  });
});
