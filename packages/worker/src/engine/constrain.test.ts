import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadEngine, type Constraint, type Engine, type SamplingSettings } from "./index.ts";

const modelPath = fileURLToPath(new URL("../../../../models/bee-tiny/bee-tiny-q8_0.gguf", import.meta.url));
let engine: Engine;
beforeAll(async () => {
  engine = await loadEngine(
    {
      worker_id: "worker:test",
      model: "bee-tiny",
      model_path: modelPath,
      socket_path: "unused",
      backend: "cpu",
      device: "cpu",
      slots: 1,
      threads: 1,
      speculation: "off",
      queue_limit: 1,
    },
    { onProgress: () => {}, onLog: () => {} },
  );
}, 30_000);
afterAll(() => engine.dispose());

const settings: SamplingSettings = {
  temperature: 0,
  topP: null,
  topK: null,
  minP: null,
  seed: 1,
  repeatPenalty: 1.1,
  presencePenalty: 0.1,
  frequencyPenalty: 0,
  logitBias: new Map(),
};

/** An answer that is put under a grammar after so many tokens. */
async function answer(
  free: number,
  constraint: (text: string) => Constraint,
): Promise<{ text: string; held: boolean }> {
  const prompt = engine.vocabulary.tokenize("<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\n", {
    markers: true,
    continued: false,
  });
  const sampler = engine.createSampler(settings, prompt, null);
  engine.keep(0, 0);
  const tokens: number[] = [];
  let held = false;
  const text = () => Buffer.concat(tokens.map((token) => engine.vocabulary.piece(token).bytes)).toString();
  for (let next: readonly number[] = prompt, position = 0; tokens.length < 40;) {
    const [chosen] = await engine.step([{ slot: 0, position, tokens: next, guess: [], sampler, observer: null }]);
    const token = chosen?.[0];
    if (token === undefined || token < 0 || engine.vocabulary.endsAnswer(token)) break;
    position += next.length;
    tokens.push(token);
    next = [token];
    if (tokens.length === free) held = sampler.constrain(constraint(text()), tokens);
  }
  sampler.dispose();
  return { text: text(), held };
}

it("an answer can be put under a grammar in its middle, which counts what came already", async () => {
  const grammar = engine.readGrammar('root ::= "am " [0-9]{3} " bees."');
  const { text, held } = await answer(2, (already) => ({ grammar, already: already.slice("I ".length) }));
  expect(held).toBe(true);
  expect(text).toMatch(/^I am \d{3} bees\.$/u);
});

it("an answer that does not match already goes on as before", async () => {
  const grammar = engine.readGrammar('root ::= "am not"');
  const { text, held } = await answer(2, () => ({ grammar, already: "is" }));
  expect(held).toBe(false);
  expect(text).toContain("bee-tiny");
});
