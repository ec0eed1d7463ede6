import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RbeeError } from "./errors.ts";
import { formatModelReference, modelReferenceSchema, parseModelReference } from "./model-reference.ts";

const accepted = (text: string) => {
  try {
    return parseModelReference(text);
  } catch (error) {
    if (error instanceof RbeeError && error.code === "invalid_request" && error.param === "model") return undefined;
    throw error;
  }
};

const word = fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9._-]?[A-Za-z0-9])*$/u).filter((text) => text.length <= 40);
const repository = fc.tuple(word, word).map(([owner, name]) => `${owner}/${name}`);
const hubReference = fc.record({
  kind: fc.constant("hub" as const),
  repository,
  which: fc.oneof(
    fc.constant({ quantization: null, file: null }),
    fc.stringMatching(/^[A-Z][A-Z0-9_]{0,12}$/u).map((quantization) => ({ quantization, file: null })),
    fc.array(word, { minLength: 1, maxLength: 3 }).map((parts) => ({
      quantization: null,
      file: `${parts.join("/")}.gguf`,
    })),
  ),
  revision: fc.option(fc.array(word, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"))),
});

describe("a model reference", () => {
  it("of the hub names repository, quantization or file, and revision", () => {
    expect(parseModelReference("hf:bartowski/Llama-3.2-1B-Instruct-GGUF:q4_k_m@main")).toEqual({
      kind: "hub",
      repository: "bartowski/Llama-3.2-1B-Instruct-GGUF",
      quantization: "Q4_K_M",
      file: null,
      revision: "main",
    });
    expect(parseModelReference("hf:a/b/Q8_0/m-00001-of-00002.gguf@refs/pr/1")).toMatchObject({
      file: "Q8_0/m-00001-of-00002.gguf",
      revision: "refs/pr/1",
    });
  });

  it("can be a file by its absolute path, an alias, or an id", () => {
    expect(parseModelReference("file:///home/ada/my%20m%C3%B6del.gguf")).toEqual({
      kind: "file",
      path: "/home/ada/my mödel.gguf",
    });
    expect(parseModelReference("bee-tiny")).toEqual({ kind: "name", name: "bee-tiny" });
  });

  it("reads back what is written, for every hub reference", () => {
    fc.assert(
      fc.property(hubReference, ({ which, ...rest }) => {
        const reference = { ...rest, ...which };
        expect(parseModelReference(formatModelReference(reference))).toEqual(reference);
      }),
    );
  });

  it("reads back what is written, for every path", () => {
    const segment = fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" });
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), (segments) => {
        const reference = { kind: "file" as const, path: `/${segments.join("/")}.gguf` };
        if (!segments.join("").isWellFormed()) return;
        const read = accepted(formatModelReference(reference));
        if (read !== undefined) expect(read).toEqual(reference);
      }),
    );
  });

  it("never leads out of the folder it is for, whatever is written", () => {
    const poison = fc.constantFrom(
      "..",
      "/",
      "\0",
      "%2e%2e",
      "%2F",
      "%00",
      "\\",
      "./",
      "//",
      "\u202e",
      "\ud800",
      "@",
      ":",
    );
    const pieces = fc.array(fc.oneof(poison, word, fc.string({ maxLength: 4, unit: "binary" })), { maxLength: 8 });
    const start = fc.constantFrom("hf:", "hf:a/b/", "hf:a/b@", "hf:a/b:", "file://", "file:///", "");
    const end = fc.constantFrom("", ".gguf");
    fc.assert(
      fc.property(start, pieces, end, (prefix, parts, suffix) => {
        const read = accepted(prefix + parts.join("") + suffix);
        if (read === undefined) return;
        const paths =
          read.kind === "hub"
            ? [read.repository, read.file ?? "x", read.revision ?? "x", read.quantization ?? "x"]
            : [read.kind === "file" ? read.path.slice(1) : read.name];
        for (const path of paths) {
          expect(path.split("/").some((part) => part === "" || part === "." || part === "..")).toBe(false);
          expect(path).not.toMatch(/[\0\p{Cc}\u202e]/u);
          expect(path.startsWith("/")).toBe(false);
        }
        if (read.kind === "name") expect(read.name).not.toMatch(/[/\\]/u);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    "hf:only-one",
    "hf:a/b/c.bin",
    "hf:a/b/../../etc/x.gguf",
    "hf:a/..:Q4",
    "hf:a/b:Q4/x.gguf",
    "hf:a/b@x@y",
    "hf:a/b@../x",
    "file://relative.gguf",
    "file:///a/../b.gguf",
    "file:///a/%2e%2e/b.gguf",
    "file:///a/b\0.gguf",
    "file:///100%.gguf",
    "/etc/passwd",
    "../x",
    "https://hub/x.gguf",
    "",
  ])("refuses %j with what is allowed", (text) => {
    expect(() => parseModelReference(text)).toThrow(
      expect.objectContaining({
        code: "invalid_request",
        param: "model",
        suggestion: expect.stringContaining("hf:org/repo"),
      }),
    );
    expect(modelReferenceSchema.safeParse(text).success).toBe(false);
  });
});
