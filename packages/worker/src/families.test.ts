import { chatCompletionSchema, type ChatChunk } from "@rbee/contract";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { user } from "../test/asking.ts";
import { modelWithTemplate } from "../test/model-with-template.ts";
import { all, readyWorker, type ChatBody, type TestWorker } from "../test/worker-process.ts";

/** Runs with the demo model behind another family's template. */
async function withTemplate(template: string, run: (worker: TestWorker) => Promise<void>): Promise<void> {
  const model = modelWithTemplate(template);
  try {
    const worker = await readyWorker({ model_path: model.path });
    try {
      await run(worker);
    } finally {
      await worker.stop();
    }
  } finally {
    model.remove();
  }
}

const chatMl =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}<|im_start|>assistant\n";
const parameters = {
  type: "object",
  properties: { city: { type: "string", maxLength: 6 }, days: { type: "integer", minimum: 1, maximum: 3 } },
  required: ["city", "days"],
  additionalProperties: false,
};
const matches = new Ajv2020({ strict: false }).compile(parameters);
const weather = { type: "function" as const, function: { name: "weather", parameters } };

describe("a call that must be made is well-formed and matches its schema", () => {
  it.each([
    ["harmony", "{# tools <|start|><|channel|><|message|> #}"],
    ["tags", "{# tools <tool_call><function= <parameter= #}"],
    ["Mistral's list", "{# tools [TOOL_CALLS] #}"],
  ])("in the way of %s", { timeout: 30_000 }, (_, way) =>
    withTemplate(way + chatMl, async (worker) => {
      const body: ChatBody = {
        messages: user("Weather?"),
        tools: [weather],
        tool_choice: "required",
        parallel_tool_calls: false,
        max_tokens: 300,
        temperature: 0,
      };
      const reply = await worker.chat(body);
      expect(reply.status, reply.body).toBe(200);
      const [choice] = chatCompletionSchema.parse(JSON.parse(reply.body)).choices;
      expect(choice?.finish_reason, reply.body).toBe("tool_calls");
      const [call] = choice?.message.tool_calls ?? [];
      expect(call?.function.name).toBe("weather");
      expect(matches(JSON.parse(call?.function.arguments ?? "")), call?.function.arguments).toBe(true);
      const chunks = await all<ChatChunk>((await worker.stream(body)).chunks());
      const pieces = chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
      expect(pieces.map((piece) => piece.function.arguments ?? "").join("")).toBe(call?.function.arguments);
    }),
  );
});

describe("thoughts", () => {
  const template = `${chatMl}{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% else %}<think>\n{% endif %}`;

  it("are not part of the content, and can be switched off", { timeout: 30_000 }, () =>
    withTemplate(template, async (worker) => {
      const ask = async (more: ChatBody) => {
        const reply = await worker.chat({ messages: user("Who are you?"), temperature: 0, max_tokens: 60, ...more });
        const answer = chatCompletionSchema.parse(JSON.parse(reply.body));
        return { ...answer.choices[0]?.message, tokens: answer.usage.completion_tokens_details?.reasoning_tokens };
      };
      const thinking = await ask({});
      expect(thinking.content).toBe("");
      expect(thinking.reasoning_content).toMatch(/\w/u);
      expect(thinking.tokens).toBeGreaterThan(5);
      for (const off of [{ reasoning_effort: "none" as const }, { chat_template_kwargs: { enable_thinking: false } }]) {
        const answer = await ask(off);
        expect([answer.reasoning_content, answer.tokens]).toEqual([undefined, 0]);
        expect(answer.content).toMatch(/\w/u);
      }
      const chunks = await all<ChatChunk>(
        (await worker.stream({ messages: user("Who are you?"), temperature: 0, max_tokens: 60 })).chunks(),
      );
      const thought = chunks.map(({ choices }) => choices[0]?.delta.reasoning_content ?? "").join("");
      expect(thought).toBe(thinking.reasoning_content);
    }),
  );
});

describe("a template that knows no tools", () => {
  it("refuses them by name", { timeout: 30_000 }, () =>
    withTemplate(chatMl, async (worker) => {
      const reply = await worker.chat({ messages: user("Weather?"), tools: [weather] });
      expect([reply.status, JSON.parse(reply.body)]).toMatchObject([400, { error: { param: "tools" } }]);
    }),
  );
});
