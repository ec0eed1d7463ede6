import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseModelReference } from "@rbee/contract";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { program } from "#lib/server/program/index.ts";
import { capabilities, heartbeat, hiveModel, newHiveId } from "#lib/server/testing/index.ts";
import { FakeHub, ggufFile } from "../../../../tests/support/fake-hub.ts";
import { NeedsMore, readRemoteHeader } from "./gguf-header.ts";
import type { SeenHive } from "./hive-memory.ts";
import { createHub } from "./hub.ts";

const gb = 1024 ** 3;
const now = new AbortController().signal;
const bee = readFileSync(join(program.root, "models/bee-tiny/bee-tiny-q8_0.gguf"));
const network = {
  "general.architecture": "llama",
  "llama.block_count": 8,
  "llama.context_length": 4_096,
  "llama.embedding_length": 512,
  "llama.feed_forward_length": 2_048,
  "llama.attention.head_count": 8,
  "llama.attention.head_count_kv": 2,
};
/** A header that is some megabytes long because of its vocabulary, as real ones are. */
const words = Array.from({ length: 40_000 }, (_, index) => `word-${index}-${"x".repeat(60)}`);

function hive(name: string, ramFreeMb: number, models = [hiveModel("bee-tiny")]): SeenHive {
  const hiveId = newHiveId();
  const node = { cpu_pct: 1, ram_used_mb: 16_000 - ramFreeMb, ram_total_mb: 16_000, load1: 0, gpus: [] };
  return {
    ...{ hiveId, name, health: "healthy" },
    capabilities: { ...capabilities(hiveId, models), name, disk_free_mb: 100_000 },
    heartbeat: heartbeat(hiveId, { node }),
  };
}

let fake: FakeHub;
beforeEach(async () => {
  fake = await FakeHub.start();
});
afterEach(() => fake.close());

const hubOf = (hives: SeenHive[] = [], more: { token?: string; timeoutMs?: number; url?: string } = {}) =>
  createHub({ url: fake.url, token: undefined, hives: { registry: { all: () => hives } }, ...more });

describe("a search of the hub", () => {
  it("lists repositories with GGUF files, the most downloaded first, with what the hub tells of them", async () => {
    fake.add("bees/small-GGUF", "small-Q4_K_M.gguf", Buffer.from("x"));
    fake.add("bees/large-GGUF", "large-Q4_K_M.gguf", Buffer.from("x"));
    fake.add("bees/words", "README.md", Buffer.from("x"));
    fake.describe("bees/small-GGUF", { downloads: 10, likes: 2, gated: "manual" });
    fake.describe("bees/large-GGUF", {
      ...{ downloads: 99, likes: 7, private: true, lastModified: "2026-01-02T03:04:05.000Z" },
      gguf: { total: 8e9, architecture: "qwen3", context_length: 40_960 },
    });
    const found = await hubOf([hive("attic", 12_000), hive("cellar", 2_000)]).search({ q: "bees", limit: 5 }, now);
    expect(found.map(({ repository }) => repository)).toEqual(["bees/large-GGUF", "bees/small-GGUF"]);
    expect(found[0]).toMatchObject({
      ...{ downloads: 99, likes: 7, gated: false, private: true, parameters: 8e9, architecture: "qwen3" },
      ...{ context_length: 40_960, updated_at: Date.UTC(2026, 0, 2, 3, 4, 5) },
      fits: [
        { name: "attic", verdict: "fits" },
        { name: "cellar", verdict: "too_big" },
      ],
    });
    // What is not known is null, and then nothing is said of fitting.
    expect(found[1]).toMatchObject({ gated: true, parameters: null, size_bytes: null, updated_at: null, fits: [] });
  });

  it("takes the name of a repository however it was pasted, and else what was typed as words", async () => {
    fake.add("bees/small-GGUF", "small-Q4_K_M.gguf", Buffer.from("x"));
    for (const q of [
      "bees/small-GGUF",
      "hf:bees/small-GGUF:Q4_K_M",
      "https://huggingface.co/bees/small-GGUF/tree/main",
    ])
      expect(await hubOf().search({ q, limit: 5 }, now)).toMatchObject([{ repository: "bees/small-GGUF" }]);
    expect(await hubOf().search({ q: "bees/small", limit: 5 }, now)).toMatchObject([{ repository: "bees/small-GGUF" }]);
    expect(await hubOf().search({ q: "nothing like it", limit: 5 }, now)).toEqual([]);
  });

  it("hides no good result because of an odd one", async () => {
    fake.listingMoods.push({ kind: "body", text: JSON.stringify([{ id: 7 }, { id: "bees/one", downloads: "many" }]) });
    expect(await hubOf().search({ q: "", limit: 5 }, now)).toMatchObject([{ repository: "bees/one", downloads: null }]);
  });
});

describe("a repository", () => {
  const repository = "bees/mixed-GGUF";

  it("lists each model with size, what to pull, and whether it fits, from the header of one of its files", async () => {
    fake.add(repository, "mixed-Q8_0.gguf", bee);
    fake.add(repository, "mixed-Q4_K_M.gguf", bee.subarray(0, 3_000_000));
    fake.add(repository, "mmproj-mixed-F16.gguf", bee);
    const { files, revision } = await hubOf([hive("attic", 12_000)]).repository({ repository }, now);
    expect(revision).toBe(fake.commit);
    expect(files).toMatchObject([
      { reference: `hf:${repository}:Q4_K_M`, size_bytes: 3_000_000, quantization: "Q4_K_M", basis: "header" },
      { reference: `hf:${repository}:Q8_0`, size_bytes: bee.length, parts: 1, basis: "header", context_length: 1_024 },
    ]);
    expect(files[0]?.fits).toMatchObject([{ name: "attic", verdict: "fits", device: "cpu" }]);
    expect(fake.fileRequests).toHaveLength(1);
    expect(fake.fileRequests[0]?.range).toBe("bytes=0-131071");
  });

  it("reads a long header no further than it must, and once per commit", async () => {
    const metadata = { ...network, "tokenizer.ggml.tokens": words, "general.file_type": 15 };
    fake.add(repository, "long-Q4_K_M.gguf", ggufFile(metadata, 64));
    const hub = hubOf([hive("attic", 12_000)]);
    const first = await hub.repository({ repository }, now);
    const longer = await hub.repository({ repository, context: 2_048 }, now);
    expect(fake.fileRequests).toHaveLength(1);
    expect(first.files[0]).toMatchObject({ basis: "header", context_length: 4_096 });
    expect(longer.files[0]).toMatchObject({ basis: "header", context_length: 2_048 });
    expect(longer.files[0]?.fits[0]?.need_mb).toBeLessThan(first.files[0]?.fits[0]?.need_mb ?? 0);
  });

  it("goes on reading when the vocabulary stands in front of what matters", async () => {
    fake.add(repository, "odd-Q4_K_M.gguf", ggufFile({ "tokenizer.ggml.tokens": words, ...network }, 64));
    const { files } = await hubOf().repository({ repository }, now);
    expect(files[0]?.basis).toBe("header");
    expect(fake.fileRequests.map(({ range }) => range?.split("-")[0])).toEqual([
      "bytes=0",
      "bytes=131072",
      "bytes=2228224",
    ]);
  });

  it("counts a split model as one and adds its parts up; one that lacks a part is not offered", async () => {
    fake.add(repository, "Q8_0/big-Q8_0-00001-of-00002.gguf", bee);
    fake.add(repository, "Q8_0/big-Q8_0-00002-of-00002.gguf", bee);
    fake.add(repository, "big-BF16-00001-of-00003.gguf", bee);
    const { files } = await hubOf().repository({ repository }, now);
    expect(files).toMatchObject([
      { reference: `hf:${repository}:Q8_0`, file: "Q8_0/big-Q8_0-00001-of-00002.gguf", parts: 2, basis: "header" },
    ]);
    expect(files[0]?.size_bytes).toBe(2 * bee.length);
  });

  it("names the file where a quantization is not enough, and reads the header of each different model", async () => {
    fake.add(repository, "one-Q8_0.gguf", bee);
    fake.add(repository, "two-Q8_0.gguf", ggufFile({ ...network, "tokenizer.ggml.tokens": ["a"] }, 64));
    const { files } = await hubOf().repository({ repository }, now);
    expect(files.map(({ reference }) => reference)).toEqual([
      `hf:${repository}/two-Q8_0.gguf`,
      `hf:${repository}/one-Q8_0.gguf`,
    ]);
    expect(files.map(({ context_length }) => context_length)).toEqual([4_096, 1_024]);
  });

  it("says that it went by the size when the header cannot be read, whatever the reason", async () => {
    fake.add(repository, "small-Q4_K_M.gguf", bee);
    const hub = hubOf([hive("attic", 12_000)], { timeoutMs: 300 });
    const moods = [
      { kind: "status", status: 403 },
      { kind: "cut", afterBytes: 10 },
      { kind: "stall", afterBytes: 10 },
      { kind: "ignore range" },
      { kind: "other bytes" },
    ] as const;
    for (const mood of moods) {
      fake.moods.push(mood);
      const { files } = await hub.repository({ repository }, now);
      expect([mood.kind, files[0]?.basis]).toEqual([mood.kind, "size"]);
      expect(files[0]?.fits[0]?.verdict).toBe("fits");
    }
    expect((await hub.repository({ repository }, now)).files[0]?.basis).toBe("header");
  });

  it("knows which hives have a file already, by what it was pulled as or by its hash", async () => {
    const sha256 = fake.add(repository, "mixed-Q8_0.gguf", bee);
    const pulled = { ...hiveModel("mine"), reference: `hf:${repository}:Q8_0` };
    const copied = { ...hiveModel("copy"), files: [{ name: "x.gguf", size_bytes: 1, sha256 }] };
    const hives = [hive("attic", 9_000, [pulled]), hive("cellar", 9_000, [copied]), hive("shed", 9_000)];
    const { files } = await hubOf(hives).repository({ repository }, now);
    expect(files[0]?.fits.map(({ model }) => model)).toEqual(["mine", "copy", null]);
    expect((await hubOf(hives).search({ q: repository, limit: 1 }, now))[0]).toMatchObject({ repository });
  });
});

describe("a hub that does not help", () => {
  const ask = (mood: (typeof fake.listingMoods)[number], more: Parameters<typeof hubOf>[1] = {}) => {
    fake.listingMoods.push(mood);
    return hubOf([], more).search({ q: "bee", limit: 5 }, now);
  };

  it("is told of with the catalogue's own errors", async () => {
    await expect(ask({ kind: "status", status: 403 })).rejects.toMatchObject({
      code: "download_forbidden",
      suggestion: expect.stringContaining("HF_TOKEN") as string,
    });
    await expect(ask({ kind: "status", status: 429, headers: { "retry-after": "7" } })).rejects.toMatchObject({
      code: "download_failed",
      retryAfterS: 7,
    });
    await expect(ask({ kind: "status", status: 503 })).rejects.toMatchObject({ code: "download_failed" });
    for (const text of ["<html>hello</html>", '{"error":"no"}', "[1, 2]"])
      await expect(ask({ kind: "body", text })).rejects.toMatchObject({
        code: "download_failed",
        message: expect.stringContaining("not as a hub") as string,
      });
    await expect(hubOf().repository({ repository: "bees/none" }, now)).rejects.toMatchObject({
      code: "download_not_found",
    });
    await expect(hubOf().repository({ repository: "../secrets" }, now)).rejects.toMatchObject({
      code: "invalid_request",
    });
  });

  it("is given up on when it hangs or is not there", async () => {
    await expect(ask({ kind: "hang" }, { timeoutMs: 100 })).rejects.toMatchObject({
      code: "download_failed",
      message: expect.stringContaining("within 0.1 s") as string,
    });
    const away = hubOf([], { url: "http://127.0.0.1:1" });
    await expect(away.search({ q: "bee", limit: 5 }, now)).rejects.toMatchObject({ code: "download_failed" });
  });

  it("is no longer asked when the asker leaves", async () => {
    fake.listingMoods.push({ kind: "hang" });
    const leaving = new AbortController();
    const asked = hubOf().search({ q: "bee", limit: 5 }, leaving.signal);
    leaving.abort(new Error("left"));
    await expect(asked).rejects.toThrow("left");
  });

  it("sees the token, which opens what is private", async () => {
    fake.add("bees/secret", "secret-Q8_0.gguf", bee);
    fake.token = "hf_right";
    const repository = "bees/secret";
    await expect(hubOf().repository({ repository }, now)).rejects.toMatchObject({ code: "download_forbidden" });
    const wrong = hubOf([], { token: "hf_wrong" }).repository({ repository }, now);
    await expect(wrong).rejects.toMatchObject({ code: "download_forbidden" });
    const { files } = await hubOf([], { token: "hf_right" }).repository({ repository }, now);
    expect(files).toMatchObject([{ basis: "header" }]);
  });
});

describe("the models to begin with", () => {
  it("are told without asking the hub, each with how it fits on every hive", () => {
    const list = hubOf([hive("attic", 15_000), hive("cellar", 800)]).starters({});
    expect(fake.requests).toEqual([]);
    expect(list[0]?.fits.map(({ verdict }) => verdict)).toEqual(["fits", "too_big"]);
    expect(list.at(-1)?.size_bytes).toBeGreaterThan(30 * gb);
    expect(list.at(-1)?.fits.map(({ verdict }) => verdict)).toEqual(["too_big", "too_big"]);
  });
});

describe("a header that lies", () => {
  it("is refused rather than followed", () => {
    expect(() => readRemoteHeader(Buffer.from("GGUF"))).toThrow(NeedsMore);
    expect(() => readRemoteHeader(Buffer.from("<html><body>no</body></html>"))).toThrow(/GGUF/u);
    const endless = ggufFile({ "general.architecture": "llama" }, 64);
    endless.writeBigUInt64LE(2n ** 63n, 16);
    expect(() => readRemoteHeader(endless)).toThrow();
    expect(() => readRemoteHeader(ggufFile({ "general.architecture": "llama" }, 64))).toThrow(/describe/u);
  });
});

describe("what a model needs that nobody has yet", () => {
  const hubReference = (text: string) => {
    const reference = parseModelReference(text);
    if (reference.kind !== "hub") throw new Error(`${text} is not of the hub`);
    return reference;
  };
  const needs = (text: string) => hubOf().needs(hubReference(text), now);

  it("is told of the files that a pull would take: the named ones, else the usual choice", async () => {
    fake.add("bees/some", "some-Q8_0.gguf", bee);
    fake.add("bees/some", "some-Q4_K_M.gguf", bee.subarray(0, 3_000_000));
    expect(await needs("hf:bees/some")).toMatchObject({ size_bytes: 3_000_000, context_length: 1_024 });
    expect(await needs("hf:bees/some:Q8_0")).toMatchObject({ size_bytes: bee.length, memory: { layers: 5 } });
    expect(await needs("hf:bees/some/some-Q8_0.gguf")).toMatchObject({ size_bytes: bee.length });
  });

  it("is null where the hub cannot say, so that a pull goes on without it", async () => {
    fake.add("bees/two", "one-Q8_0.gguf", bee);
    fake.add("bees/two", "two-Q8_0.gguf", bee);
    expect(await needs("hf:bees/two:Q8_0")).toBeNull();
    expect(await needs("hf:bees/two:Q2_K")).toBeNull();
    expect(await needs("hf:bees/none")).toBeNull();
    expect(await hubOf([], { url: "http://127.0.0.1:1" }).needs(hubReference("hf:bees/two"), now)).toBeNull();
  });
});
