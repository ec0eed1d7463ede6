import { copyFileSync, cpSync, mkdirSync, readFileSync, statSync, writeFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hiveModelSchema } from "@rbee/contract";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../testing/fixture.ts";
import { recordedLog } from "../testing/recorded-log.ts";
import { systemClock } from "../clock.ts";
import type { Logger } from "../log.ts";
import { ModelCatalogue } from "./catalogue.ts";
import { ModelDatabase } from "./database.ts";
import { describeModel } from "./describe.ts";

const beeTiny = fileURLToPath(new URL("../../../../models/bee-tiny/bee-tiny-q8_0.gguf", import.meta.url));

function folderWith(models: Record<string, string | Buffer>): string {
  const folder = temporaryFolder();
  for (const [id, content] of Object.entries(models)) {
    mkdirSync(join(folder, id));
    writeFileSync(join(folder, id, "model.gguf"), content);
  }
  return folder;
}

function catalogueOf(folders: readonly string[], log: Logger): ModelCatalogue {
  const database = new ModelDatabase(temporaryFolder(), log);
  onTestFinished(() => {
    database.close();
  });
  return new ModelCatalogue({ folders, database, clock: systemClock, log });
}

describe("the models on disk", () => {
  it("are described by their headers", async () => {
    const beeTinyBytes = statSync(beeTiny).size;
    const folder = folderWith({ bee: readFileSync(beeTiny) });
    const models = await catalogueOf([folder], recordedLog().log).scan();
    expect(models.map((model) => hiveModelSchema.parse(describeModel(model)))).toEqual([
      {
        id: "bee",
        name: "bee-tiny",
        size_bytes: beeTinyBytes,
        quantization: "Q8_0",
        architecture: "llama",
        parameters: 3_607_296,
        context_length: 1_024,
        has_chat_template: true,
        reference: null,
        revision: null,
        aliases: [],
        pinned: false,
        removable: false,
        files: [{ name: "model.gguf", size_bytes: beeTinyBytes, sha256: null }],
        memory: {
          layers: 5,
          embedding_length: 256,
          feed_forward_length: 512,
          vocabulary_size: 1_280,
          cache_values_per_token: 2_560,
          windowed_cache_values_per_token: 0,
          window: null,
          recurrent_values: 0,
          heads: 4,
          key_length: 64,
          value_length: 64,
        },
      },
    ]);
  });

  it("leave out a file that is not GGUF or is cut off, with one line in the log however often one looks", async () => {
    const whole = readFileSync(beeTiny);
    const folder = folderWith({ good: whole, text: "hello", cut: whole.subarray(0, whole.length / 4), empty: "" });
    const { log, lines } = recordedLog();
    const catalogue = catalogueOf([folder], log);
    await catalogue.scan();
    await catalogue.scan();
    expect(catalogue.models.map(({ id }) => id)).toEqual(["good"]);
    expect(lines.length).toBe(3);
    expect(await catalogue.find("text")).toMatchObject({
      state: "damaged",
      broken: expect.stringContaining("GGUF"),
    });
    expect(await catalogue.find("nowhere")).toBeUndefined();
  });

  it("are read again only when the file has changed", async () => {
    const folder = folderWith({ bee: "not a model" });
    const file = join(folder, "bee", "model.gguf");
    const { log, lines } = recordedLog();
    const catalogue = catalogueOf([folder], log);
    await catalogue.scan();
    copyFileSync(beeTiny, file);
    expect((await catalogue.scan()).map(({ id }) => id)).toEqual(["bee"]);
    const [before] = catalogue.models;
    await catalogue.scan();
    expect(catalogue.models[0]?.header).toBe(before?.header);
    utimesSync(file, 1, 1);
    await catalogue.scan();
    expect(catalogue.models[0]?.header).not.toBe(before?.header);
    expect(lines.length).toBe(1);
  });

  it("come from the first folder that has them, and folders that are missing or oddly named do no harm", async () => {
    const [first, second] = [folderWith({ bee: readFileSync(beeTiny) }), temporaryFolder()];
    cpSync(join(first, "bee"), join(second, "bee"), { recursive: true });
    mkdirSync(join(second, "bad name"));
    mkdirSync(join(second, "no-file"));
    const catalogue = catalogueOf(["/nonexistent", first, second], recordedLog().log);
    expect((await catalogue.scan()).map(({ path }) => path)).toEqual([join(first, "bee", "model.gguf")]);
  });
});
