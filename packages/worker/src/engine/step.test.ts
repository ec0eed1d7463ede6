import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadEngine, type Engine, type Sampler, type SamplingSettings } from "./index.ts";

const modelPath = fileURLToPath(new URL("../../../../models/bee-tiny/bee-tiny-q8_0.gguf", import.meta.url));
let engine: Engine;
let sampler: Sampler;
const load = (slots: number): Promise<Engine> =>
  loadEngine(
    {
      worker_id: "worker:test",
      model: "bee-tiny",
      model_path: modelPath,
      socket_path: "unused",
      backend: "cpu",
      device: "cpu",
      slots,
      threads: 1,
      speculation: "off",
      queue_limit: 1,
    },
    { onProgress: () => {}, onLog: () => {} },
  );
beforeAll(async () => {
  engine = await load(2);
  sampler = engine.createSampler(greedy, [], null);
}, 30_000);
afterAll(() => engine.dispose());

const greedy: SamplingSettings = {
  temperature: 0,
  topP: null,
  topK: null,
  minP: null,
  seed: 1,
  repeatPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: new Map(),
};

const prompt = () =>
  engine.vocabulary.tokenize("<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\n", {
    markers: true,
    continued: false,
  });

const step = async (position: number, tokens: readonly number[], guess: readonly number[] = []) =>
  (await engine.step([{ slot: 0, position, tokens, guess, sampler, observer: null }]))[0] ?? [];

/** The first tokens of an answer, one by one. */
async function answer(count: number): Promise<number[]> {
  const tokens: number[] = [];
  let [position, next] = [0, prompt()];
  engine.keep(0, 0);
  while (tokens.length < count) {
    const [token = -1] = await step(position, next);
    position += next.length;
    tokens.push(token);
    next = [token];
  }
  return tokens;
}

it("a guess that is right brings all of it and one more token", async () => {
  const [first = -1, ...rest] = await answer(6);
  engine.keep(0, prompt().length);
  expect(await step(prompt().length, [first], rest.slice(0, 4))).toEqual(rest);
});

it("a guess that is partly right brings that part, and leaves nothing of the rest in the slot", async () => {
  const [first = -1, second = -1, third = -1, fourth = -1, fifth = -1] = await answer(5);
  const start = prompt().length;
  engine.keep(0, start);
  const wrong = (third + 1) % engine.vocabulary.size;
  expect(await step(start, [first], [second, wrong, wrong])).toEqual([second, third]);
  expect(await step(start + 2, [third], [])).toEqual([fourth]);
  expect(await step(start + 3, [fourth], [])).toEqual([fifth]);
});

it("a step that cannot be computed rejects, and the next one works", async () => {
  const [first = -1] = await answer(1);
  await expect(step(prompt().length + 500, [first])).rejects.toThrow();
  expect(await answer(1)).toEqual([first]);
});

it("answers are the same in whatever passes through the weights they are computed", async () => {
  const many = await load(9);
  const questions = [
    "Who are you?",
    "What is rbee?",
    "Hello",
    "How are you?",
    "Tell me a joke",
    "What is a hive?",
    "What is a queen?",
    "Good night",
    "Thank you",
  ];
  const begin = questions.map((question) =>
    many.vocabulary.tokenize(`<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`, {
      markers: true,
      continued: false,
    }),
  );
  const greedyOne = many.createSampler(greedy, [], null);
  // Steps enough for every layout to be tried.
  const count = 12;
  /** Lets these slots answer, all in each step; first their prompts, one by one. */
  const answersOf = async (slots: readonly number[]) => {
    const answers = new Map(slots.map((slot): [number, number[]] => [slot, []]));
    const work = (slot: number, position: number, tokens: readonly number[]) =>
      ({ slot, position, tokens, guess: [], sampler: greedyOne, observer: null }) as const;
    for (const slot of slots) {
      many.keep(slot, 0);
      answers.get(slot)?.push(...((await many.step([work(slot, 0, begin[slot] ?? [])]))[0] ?? []));
    }
    for (let at = 0; at < count; at++) {
      const last = (slot: number) => answers.get(slot)?.at(-1) ?? -1;
      const tokens = await many.step(slots.map((slot) => work(slot, (begin[slot]?.length ?? 0) + at, [last(slot)])));
      slots.forEach((slot, index) => answers.get(slot)?.push(...(tokens[index] ?? [])));
    }
    // What a model says after the end is no answer, and may hang by a hair.
    return slots.map((slot) => {
      const tokens = answers.get(slot) ?? [];
      const end = tokens.findIndex((token) => many.vocabulary.endsAnswer(token));
      return end < 0 ? tokens : tokens.slice(0, end);
    });
  };
  const alone: (readonly number[] | undefined)[] = [];
  for (const slot of questions.keys()) alone.push(...(await answersOf([slot])));
  expect(await answersOf([...questions.keys()])).toEqual(alone);
  await many.dispose();
});
