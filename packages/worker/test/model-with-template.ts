import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { demoModel } from "./worker-process.ts";

const templateKey = "tokenizer.chat_template";
const alignment = 32;
/** GGUF's value types of fixed size. */
const sizes: Record<number, number> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
const [stringType, arrayType] = [8, 9];

/** The demo model with another chat template, in a file of its own. */
export function modelWithTemplate(template: string): { readonly path: string; remove(): void } {
  const data = readFileSync(demoModel);
  const count = (at: number) => Number(data.readBigUInt64LE(at));
  const stringEnd = (at: number) => at + 8 + count(at);
  const valueEnd = (at: number, type: number): number => {
    if (type === stringType) return stringEnd(at);
    if (type !== arrayType) return at + (sizes[type] ?? Number.NaN);
    let end = at + 12;
    for (let left = count(at + 4); left > 0; left--) end = valueEnd(end, data.readUInt32LE(at));
    return end;
  };
  let [at, from, to] = [24, 0, 0];
  for (let left = count(16); left > 0; left--) {
    const key = data.toString("utf8", at + 8, stringEnd(at));
    const value = stringEnd(at) + 4;
    at = valueEnd(value, data.readUInt32LE(value - 4));
    if (key === templateKey) [from, to] = [value, at];
  }
  for (let left = count(8); left > 0; left--) {
    at = stringEnd(at);
    at += 4 + 8 * data.readUInt32LE(at) + 4 + 8;
  }
  const text = Buffer.from(template);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const head = Buffer.concat([data.subarray(0, from), length, text, data.subarray(to, at)]);
  const padded = (size: number) => Math.ceil(size / alignment) * alignment;
  const padding = Buffer.alloc(padded(head.length) - head.length);
  const folder = mkdtempSync(join(tmpdir(), "rbee-template-"));
  const path = join(folder, "model.gguf");
  writeFileSync(path, Buffer.concat([head, padding, data.subarray(padded(at))]));
  return {
    path,
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
