import type { ServerResponse } from "node:http";
import { Agent, getGlobalDispatcher, setGlobalDispatcher } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { json, startSmallQueen, type SmallQueen } from "../../test/queen.ts";
import { connectionTo } from "./connect.ts";

let queen: SmallQueen;
const dispatcher = getGlobalDispatcher();
beforeAll(async () => {
  queen = await startSmallQueen();
});
afterEach(() => {
  setGlobalDispatcher(dispatcher);
});
afterAll(() => queen.close());

const connection = () => connectionTo(queen.url, "secret", false);
/** What a log's reader gets next, as text. */
const nextOf = async (reader: ReadableStreamDefaultReader<Uint8Array> | undefined) =>
  new TextDecoder().decode((await reader?.read())?.value);

/** A queen whose log has one line and stays open; gives the answers that are under way. */
function serveLog(): ServerResponse[] {
  const open: ServerResponse[] = [];
  queen.handlers.set("GET /v1/hives/attic/logs", (_request, response) => {
    response.writeHead(200, { "content-type": "text/plain" }).write("one\n");
    open.push(response);
  });
  return open;
}

describe("a patient client", () => {
  it("goes on with an answer that was silent for longer than Node's own fetch waits", async () => {
    setGlobalDispatcher(new Agent({ bodyTimeout: 50 }));
    const open = serveLog();
    const call = { params: { id: "attic" } };
    const { client, patient } = connection();
    const reader = (await patient.raw.hiveLogs(call)).body?.getReader();
    expect(await nextOf(reader)).toBe("one\n");
    await expect((await client.raw.hiveLogs(call)).text()).rejects.toMatchObject({
      cause: { code: "UND_ERR_BODY_TIMEOUT" },
    });
    open[0]?.end("two\n");
    expect(await nextOf(reader)).toBe("two\n");
    expect((await reader?.read())?.done).toBe(true);
  });

  it("breaks off when it is told to, and when the connection does", async () => {
    const open = serveLog();
    const leaving = new AbortController();
    const read = async () => {
      const { body } = await connection().patient.raw.hiveLogs({ params: { id: "attic" }, signal: leaving.signal });
      const reader = body?.getReader();
      await nextOf(reader);
      return reader;
    };
    const [cut, left] = [await read(), await read()];
    open[0]?.destroy();
    await expect(cut?.read()).rejects.toThrow();
    leaving.abort();
    await expect(left?.read()).rejects.toThrow();
  });

  it("sends its token and a body, and takes errors and answers without a body", async () => {
    let got: unknown[] = [];
    queen.handlers.set("POST /v1/keys", (request, response, body) => {
      got = [request.headers.authorization, request.headers["content-type"], body];
      json(403, { error: { message: "Not you.", type: "x", param: null, code: "forbidden" } })(request, response, body);
    });
    queen.handlers.set("DELETE /v1/keys/k", (_request, response) => response.writeHead(204).end());
    const { patient } = connection();
    await expect(patient.createKey({ body: { name: "k" } })).rejects.toMatchObject({ code: "forbidden" });
    expect(got).toEqual(["Bearer secret", "application/json", '{"name":"k"}']);
    await patient.revokeKey({ params: { id: "k" } });
  });
});
