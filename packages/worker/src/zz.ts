import { getLlama } from "node-llama-cpp";
import { openSync, unlinkSync, fstatSync, closeSync, statSync } from "node:fs";
const llama = await getLlama({
  gpu: false,
  build: "never",
  skipDownload: true,
  progressLogs: false,
  logLevel: "debug",
} as any);
const model = await llama.loadModel({ modelPath: "models/bee-tiny/bee-tiny-q8_0.gguf" });
const context = await model.createContext({ sequences: 4, contextSize: 1024, batchSize: 512, threads: 1 });
const c = (context as any)._ctx;
const toks = Array.from({ length: 1000 }, (_, i) => 50 + ((i * 7) % 200));
for (let p = 0; p < 1000; p += 250) {
  c.initBatch(250);
  c.addToBatch(1, p, Uint32Array.from(toks.slice(p, p + 250)), new Uint32Array(0));
  await c.decodeBatch();
}
for (const [f, tk] of [
  ["/dev/shm/zz", new Uint32Array(0)],
  ["/dev/shm/zz", Uint32Array.from(toks)],
] as const) {
  let t = performance.now();
  const n = await c.saveSequenceStateToFile(f, 1, tk);
  for (const s of [1, 2]) {
    const t1 = performance.now();
    const got = await c.loadSequenceStateFromFile(f, s, 1024);
    const t2 = performance.now();
    console.log(
      f,
      s,
      n,
      statSync(f).size,
      "save",
      t1 - t,
      "load",
      t2 - t1,
      got.length,
      c.getSequenceKvCacheMinPosition(s),
      c.getSequenceKvCacheMaxPosition(s),
      c.getSequenceKvCacheMaxPosition(0),
    );
  }
  unlinkSync(f);
}
