import { RbeeError, streamErrorEvent } from "@rbee/contract";
import { expect, it } from "vitest";
import { Reply, type ReplySink } from "../reply.ts";
import { messageTelling } from "./anthropic/index.ts";
import { retell } from "./retell.ts";

/** What a client gets when the worker's stream gives these pieces. */
const told = (pieces: readonly string[]) => toldBytes(pieces.map((piece) => new TextEncoder().encode(piece)));

function toldBytes(pieces: readonly Uint8Array[]): { text: string; ended: boolean } {
  const got = { text: "", ended: false };
  let source: ReplySink | undefined;
  const reply = new Reply({ "content-type": "text/event-stream" }, (sink) => {
    source = sink;
    return { resume: () => undefined, cancel: () => undefined };
  });
  const { body, headers } = retell(reply, messageTelling);
  expect(headers["content-type"]).toBe("text/event-stream");
  if (typeof body === "string") throw new Error("a stream was asked for");
  body({
    write(bytes) {
      got.text += new TextDecoder().decode(bytes);
      return true;
    },
    end: () => void (got.ended = true),
  });
  for (const piece of pieces) source?.write(piece);
  source?.end();
  return got;
}

const chunk = (content: string) =>
  `data: ${JSON.stringify({ id: "chatcmpl-1", model: "m", choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`;
const failure = `\n\n${streamErrorEvent(new RbeeError("hive_unreachable", "The connection broke."))}`;

it("an event that is cut in the middle is left out, and the error after it is told", () => {
  const { text, ended } = told([chunk("Hel"), chunk("lo").slice(0, 20), failure]);
  expect(text).toContain('"text":"Hel"');
  expect(text).toMatch(/event: error\ndata: .*The connection broke\./u);
  expect(text).not.toContain("message_stop");
  expect(ended).toBe(true);
});

it("characters that are cut in the middle come out whole", () => {
  const bytes = new TextEncoder().encode(chunk("🐝"));
  const text = toldBytes([...bytes].map((byte) => Uint8Array.of(byte))).text;
  expect(text).toContain("🐝");
});

it("while a long prompt is read the client sees that somebody is there", () => {
  expect(told([": prefill 512/4096\n\n"]).text).toBe(": waiting\n\n");
});
