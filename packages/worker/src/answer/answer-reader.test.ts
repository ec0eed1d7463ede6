import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Constraint } from "../engine/engine.ts";
import { toolFormatOf, type ToolFormat } from "../tools/tool-format.ts";
import { AnswerReader, type Piece, type Reader, type ReadingOptions } from "./answer-reader.ts";
import { ChannelReader } from "./channel-reader.ts";
import { AfterThoughtsGuide, CallGuide } from "./call-guide.ts";

const think = { open: "<think>", close: "</think>" };
const plain: ReadingOptions = { reasoning: null, opened: false, tools: null };

interface Read {
  reasoning: string;
  content: string;
  calls: { name: string; arguments: string }[];
}

/** Reads an answer that comes in these parts. */
function read(
  parts: readonly string[],
  options: Partial<ReadingOptions>,
  reader: Reader = new AnswerReader({ ...plain, ...options }),
): Read {
  const result: Read = { reasoning: "", content: "", calls: [] };
  const take = (pieces: readonly Piece[]) => {
    for (const piece of pieces) {
      if (piece.kind === "call") result.calls.push({ name: piece.name, arguments: "" });
      else if (piece.kind === "arguments") {
        const call = result.calls[piece.call];
        if (call === undefined) throw new Error("arguments without a call");
        call.arguments += piece.text;
      } else result[piece.kind] += piece.text;
    }
  };
  for (const part of parts) take(reader.push(part));
  take(reader.end());
  return result;
}

/** Any way to cut a text into parts. */
const cuts = (text: string) => {
  const characters = Array.from(text);
  return fc
    .uniqueArray(fc.nat(characters.length), { maxLength: 12 })
    .map((places) =>
      [0, ...places.toSorted((a, b) => a - b)].map((from, at, all) => characters.slice(from, all[at + 1]).join("")),
    );
};
const however = (text: string, options: Partial<ReadingOptions>, expected: Partial<Read>) => {
  const nothing: Read = { reasoning: "", content: "", calls: [] };
  fc.assert(
    fc.property(cuts(text), (parts) => {
      expect(read(parts, options)).toEqual({ ...nothing, ...expected });
    }),
  );
  expect(read(Array.from(text), options)).toEqual({ ...nothing, ...expected });
};

const templates: Record<string, string> = {
  harmony: "{{ tools }}<|start|><|channel|><|message|>",
  tagged: "{{ tools }}<tool_call><function=><parameter=",
  hermes: "{{ tools }}<tool_call>",
  "llama-3": '{{ tools }}<|start_header_id|>{"name": "parameters"',
  mistral: "{{ tools }}[TOOL_CALLS]",
  "mistral-args": "{{ tools }}[TOOL_CALLS][ARGS]",
  "function-tag": "{{ tools }}<function=",
  deepseek: "{{ tools }}<｜tool▁calls▁begin｜>```json",
  "deepseek-3.1": "{{ tools }}<｜tool▁calls▁begin｜>",
  "phi-4": "{{ tools }}<|tool_call|><|/tool_call|>",
  granite: "{{ tools }}<|tool_call|>",
};
function formatOf(name: string): ToolFormat {
  const format = toolFormatOf(templates[name] ?? "");
  if (format === null) throw new Error(`no format ${name}`);
  return format;
}

const args = ['{"a": "}\\"] [", "b": [{"c": {}}]}', "{}"] as const;
const written: Record<string, string> = {
  hermes: `<tool_call>\n{"name": "f", "arguments": ${args[0]}}\n</tool_call>\n<tool_call>\n{"name": "g-2", "arguments": {}}\n</tool_call>`,
  mistral: `[TOOL_CALLS][{"name": "f", "arguments": ${args[0]}}, {"name": "g-2", "arguments": {}}]`,
  "mistral-args": `[TOOL_CALLS]f[ARGS]${args[0]}[TOOL_CALLS]g-2[ARGS]{}`,
  "function-tag": `<function=f>${args[0]}</function><function=g-2>{}</function>`,
  "deepseek-3.1": `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>${args[0]}<｜tool▁call▁end｜><｜tool▁call▁begin｜>g-2<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>`,
  deepseek: `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n\`\`\`json\n${args[0]}\n\`\`\`<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>g-2\n\`\`\`json\n{}\n\`\`\`<｜tool▁call▁end｜><｜tool▁calls▁end｜>`,
  "phi-4": `<|tool_call|>[{"name": "f", "arguments": ${args[0]}}, {"name": "g-2", "arguments": {}}]<|/tool_call|>`,
  granite: `<|tool_call|>[{"name": "f", "arguments": ${args[0]}}, {"name": "g-2", "arguments": {}}]`,
};

describe("AnswerReader", () => {
  it("leaves an answer without thoughts and tools as it is", () => {
    however("<think> is a tag", {}, { content: "<think> is a tag" });
    however(" <thin", { reasoning: think }, { content: " <thin" });
  });

  it("tells thoughts from the answer, whether the answer or the prompt opens them", () => {
    const expected = { reasoning: "Let me\nsee", content: "Hello  you\n" };
    however("\n<think>\nLet me\nsee\n</think>\n\nHello  you\n", { reasoning: think }, expected);
    however("\nLet me\nsee\n</think>\n\nHello  you\n", { reasoning: think, opened: true }, expected);
    however("never ends </thi", { reasoning: think, opened: true }, { reasoning: "never ends </thi" });
    however("a <think> b </think>", { reasoning: think }, { content: "a <think> b </think>" });
  });

  it.each(Object.keys(written))("reads the calls of %s", (name) => {
    const calls = [
      { name: "f", arguments: args[0] },
      { name: "g-2", arguments: args[1] },
    ];
    const tools = formatOf(name);
    expect(tools.name).toBe(name);
    however(written[name] ?? "", { tools }, { calls });
    however(`Let me see.\n${written[name] ?? ""}`, { tools }, { content: "Let me see.\n", calls });
    however(`<think>hm</think>\n${written[name] ?? ""}`, { tools, reasoning: think }, { reasoning: "hm", calls });
  });

  it("reads arguments between tags as their schema says", () => {
    const tools = formatOf("tagged");
    const schemas = new Map([
      [
        "f",
        {
          text: { type: "string" },
          unit: { enum: ["a", "b"] },
          count: { type: "integer" },
          list: { type: "array" },
          maybe: { type: ["string", "null"] },
        },
      ],
    ]);
    const call = (name: string, ...parameters: [string, string][]) =>
      `<tool_call>\n<function=${name}>\n${parameters.map(([key, value]) => `<parameter=${key}>\n${value}\n</parameter>\n`).join("")}</function>\n</tool_call>`;
    const text = '<b>"two"\n\n</b> \\ 🐝</p';
    const long = call("f", ["text", text], ["unit", "a"], ["count", "12"], ["list", '[1, "x"]'], ["maybe", "7"]);
    const given = { text, unit: "a", count: 12, list: [1, "x"], maybe: "7" };
    const { calls } = read([long], { tools, schemas });
    expect(calls.map((one) => JSON.parse(one.arguments) as unknown)).toEqual([given]);
    however(`${long}\n${call("g")}`, { tools, schemas }, { calls: [...calls, { name: "g", arguments: "{}" }] });
    however(call("f", ["text", ""]), { tools, schemas }, { calls: [{ name: "f", arguments: '{"text": ""}' }] });
    however(call("f", ["maybe", "null"]), { tools, schemas }, { calls: [{ name: "f", arguments: '{"maybe": null}' }] });
  });

  it("takes Llama's JSON as a call only at the beginning of an answer", () => {
    const tools = formatOf("llama-3");
    const call = '{"name": "f", "parameters": {"a": 1}}';
    however(call, { tools }, { calls: [{ name: "f", arguments: '{"a": 1}' }] });
    however(`<|python_tag|>${call}`, { tools }, { calls: [{ name: "f", arguments: '{"a": 1}' }] });
    however(`It is ${call}`, { tools }, { content: `It is ${call}` });
    however('{"nam', { tools }, { content: '{"nam' });
  });

  it("says what only looked like a call", () => {
    however("<tool_call>what?", { tools: formatOf("hermes") }, { content: "<tool_call>what?" });
    however("x <tool_call>\n{", { tools: formatOf("hermes") }, { content: "x <tool_call>\n{" });
  });
});

describe("ChannelReader", () => {
  const always = (text: string, expected: Partial<Read>) => {
    fc.assert(
      fc.property(cuts(text), (parts) => {
        expect(read(parts, {}, new ChannelReader())).toEqual({ reasoning: "", content: "", calls: [], ...expected });
      }),
    );
  };

  it("tells thoughts, words and calls by their channels", () => {
    const thought = "<|channel|>analysis<|message|>The user greets.<|end|>";
    always(`${thought}<|start|>assistant<|channel|>final<|message|>Hi there`, {
      reasoning: "The user greets.",
      content: "Hi there",
    });
    const call = "<|channel|>commentary to=functions.get_x <|constrain|>json<|message|>";
    always(`${thought}<|start|>assistant${call}{"a": 1}`, {
      reasoning: "The user greets.",
      calls: [{ name: "get_x", arguments: '{"a": 1}' }],
    });
    always(
      `<|channel|>commentary<|message|>I look.<|end|><|start|>assistant to=functions.f<|channel|>commentary json<|message|>{}`,
      {
        content: "I look.",
        calls: [{ name: "f", arguments: "{}" }],
      },
    );
  });

  it("gives plain text as it is, and no header as text", () => {
    always("Hello", { content: "Hello" });
    always("<|channel|>final", {});
  });
});

describe("toolFormatOf", () => {
  it("knows no format where a template has no tools or writes calls in another way", () => {
    for (const template of [null, "<tool_call>", "{{ tools }}", "{{ tools }}<tool_call>\n<arg_key>"])
      expect(toolFormatOf(template)).toBeNull();
  });
});

describe("guides", () => {
  const grammar = { text: "" };
  const guided = (guide: CallGuide | AfterThoughtsGuide, parts: readonly string[]): Constraint | null => {
    for (const [index, part] of parts.entries()) {
      const constraint = guide.push(part);
      if (constraint !== null) return { ...constraint, already: constraint.already + parts.slice(index + 1).join("") };
    }
    return null;
  };
  const always = (make: () => CallGuide | AfterThoughtsGuide, text: string, already: string | null) => {
    fc.assert(
      fc.property(cuts(text), (parts) => {
        expect(guided(make(), parts)?.already ?? null).toBe(already);
      }),
    );
  };

  it("put a call under its grammar from its announcement on, but not inside of thoughts", () => {
    const tools = formatOf("hermes");
    const options = { reasoning: think, opened: true, tools };
    const make = () => new CallGuide(tools, grammar, options);
    always(make, "I <tool_call> </think> Hi <tool_call>\n{", "<tool_call>\n{");
    always(make, "hm </think><tool_call>", "<tool_call>");
    always(make, "hm <tool_call>", null);
    always(() => new CallGuide(tools, grammar, { ...options, opened: false }), "<think>a<tool_call></think>b", null);
  });

  it("give the grammar the call alone where its announcement stands before it", () => {
    const tools = formatOf("llama-3");
    const make = () => new CallGuide(tools, grammar, { ...plain, tools });
    always(make, ' {"name": "f', '{"name": "f');
    always(make, '<|python_tag|>{"name": "f', '{"name": "f');
    always(make, 'so {"name": "f', null);
  });

  it("put an answer under its grammar when its thoughts are over", () => {
    always(() => new AfterThoughtsGuide("</think>", grammar), "a {</think>{", "{");
  });
});
