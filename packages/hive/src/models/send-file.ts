import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { RbeeError } from "@rbee/contract";
import type { BrokenModel, LocalModel } from "./catalogue.ts";

/** The one range that an answer may give; null when the header is none that is understood, which means: all of it. */
function rangeIn(header: string | undefined, size: number): { start: number; end: number } | "unsatisfiable" | null {
  const match = /^bytes=(\d+)-(\d*)$/u.exec(header?.trim() ?? "");
  if (match === null) return null;
  const start = Number(match[1]);
  const end = match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  return start >= size || end < start ? "unsatisfiable" : { start, end };
}

/**
 * Answers with a file of a model, whole or in part (RFC 9110, 14).
 * @throws {RbeeError} `not_found` when the model has no file of that name.
 */
export function sendFile(model: LocalModel | BrokenModel, name: string, range: string | undefined): Response {
  const file = model.files.find(({ path }) => basename(path) === name);
  if (file === undefined) throw new RbeeError("not_found", `${model.id} has no file of that name.`);
  const sha256 = model.record?.files.find(({ path }) => path === file.path)?.sha256 ?? null;
  const size = file.sizeBytes;
  const headers = {
    "content-type": "application/octet-stream",
    "accept-ranges": "bytes",
    "cache-control": "no-store",
    ...(sha256 === null ? {} : { etag: `"${sha256}"` }),
  };
  const part = rangeIn(range, size);
  if (part === "unsatisfiable")
    return new Response(null, { status: 416, headers: { ...headers, "content-range": `bytes */${size}` } });
  const { start, end } = part ?? { start: 0, end: size - 1 };
  const stream = createReadStream(file.path, { start, end, highWaterMark: 1024 * 1024 });
  return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>, {
    status: part === null ? 200 : 206,
    headers: {
      ...headers,
      "content-length": String(end - start + 1),
      ...(part === null ? {} : { "content-range": `bytes ${start}-${end}/${size}` }),
    },
  });
}
