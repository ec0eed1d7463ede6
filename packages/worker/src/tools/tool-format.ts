/**
 * How a model writes tool calls, as its chat template shows: texts around names and arguments. White space in these
 * texts stands for any little white space.
 */
export interface ToolFormat {
  readonly name: string;
  /** Texts that announce calls, wherever they stand. */
  readonly triggers: readonly string[];
  /** Texts that announce calls only at the beginning of an answer, since ordinary answers may have them, too. */
  readonly startTriggers: readonly string[];
  /** Before the first call and after the last. */
  readonly open: string;
  readonly close: string;
  /** Before `open`, where an answer must begin with a call. */
  readonly lead: string;
  /** Before a call's name, between name and arguments, and after the arguments. */
  readonly call: readonly [before: string, between: string, after: string];
  readonly separator: string;
  /** Arguments are a JSON object, or each stands between tags with its name. */
  readonly arguments: "json" | "tagged";
  /** Whether the model can make several calls at once. */
  readonly parallel: boolean;
  /** Whether ids must be nine letters and digits, as some templates insist. */
  readonly shortIds: boolean;
}

const json = (name: string, argumentsName: string): ToolFormat["call"] => [
  `{"${name}": "`,
  `", "${argumentsName}": `,
  "}",
];
const plain = {
  startTriggers: [],
  lead: "",
  open: "",
  close: "",
  separator: "",
  arguments: "json",
  parallel: true,
  shortIds: false,
} as const;

const hermes: ToolFormat = {
  ...plain,
  name: "hermes",
  triggers: ["<tool_call>"],
  call: ['<tool_call>\n{"name": "', '", "arguments": ', "}\n</tool_call>"],
  separator: "\n",
};
const taggedCalls: ToolFormat = {
  ...hermes,
  name: "tagged",
  call: ["<tool_call>\n<function=", ">\n", "</function>\n</tool_call>"],
  arguments: "tagged",
};
const llama3: ToolFormat = {
  ...plain,
  name: "llama-3",
  triggers: ["<|python_tag|>"],
  startTriggers: ['{"name"'],
  call: json("name", "parameters"),
  parallel: false,
};
const mistral: ToolFormat = {
  ...plain,
  name: "mistral",
  triggers: ["[TOOL_CALLS]"],
  open: "[TOOL_CALLS][",
  call: json("name", "arguments"),
  separator: ", ",
  close: "]",
  shortIds: true,
};
const mistralArgs: ToolFormat = {
  ...plain,
  name: "mistral-args",
  triggers: ["[TOOL_CALLS]"],
  call: ["[TOOL_CALLS]", "[ARGS]", ""],
  shortIds: true,
};
const functionTag: ToolFormat = {
  ...plain,
  name: "function-tag",
  triggers: ["<function="],
  call: ["<function=", ">", "</function>"],
};
const deepseekV31: ToolFormat = {
  ...plain,
  name: "deepseek-3.1",
  triggers: ["<｜tool▁calls▁begin｜>"],
  open: "<｜tool▁calls▁begin｜>",
  call: ["<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"],
  close: "<｜tool▁calls▁end｜>",
};
const deepseek: ToolFormat = {
  ...deepseekV31,
  name: "deepseek",
  call: ["<｜tool▁call▁begin｜>function<｜tool▁sep｜>", "\n```json\n", "\n```<｜tool▁call▁end｜>"],
  separator: "\n",
};
const phi4: ToolFormat = {
  ...plain,
  name: "phi-4",
  triggers: ["<|tool_call|>"],
  open: "<|tool_call|>[",
  call: json("name", "arguments"),
  separator: ", ",
  close: "]<|/tool_call|>",
};
const granite: ToolFormat = { ...phi4, name: "granite", close: "]" };

const harmony: ToolFormat = {
  ...plain,
  name: "harmony",
  triggers: ["<|channel|>commentary to=functions.", "<|start|>assistant to=functions."],
  lead: "<|channel|>commentary to=functions.",
  call: ["", " <|constrain|>json<|message|>", ""],
  parallel: false,
};

/** Whether answers are several messages on channels, as OpenAI's open models write them. */
export function usesChannels(template: string | null): boolean {
  return template !== null && ["<|channel|>", "<|message|>", "<|start|>"].every((marker) => template.includes(marker));
}

/** The way in which a template writes calls; null when it knows no tools, or a way that is not known here. */
export function toolFormatOf(template: string | null): ToolFormat | null {
  if (template === null || !/\btools\b/u.test(template)) return null;
  const has = (...texts: readonly string[]) => texts.every((text) => template.includes(text));
  if (usesChannels(template)) return harmony;
  if (has("[TOOL_CALLS]", "[ARGS]")) return mistralArgs;
  if (has("[TOOL_CALLS]")) return mistral;
  if (has("<｜tool▁calls▁begin｜>")) return has("```json") ? deepseek : deepseekV31;
  if (has("<|tool_call|>")) return has("<|/tool_call|>") ? phi4 : granite;
  if (has("<tool_call>", "<function=", "<parameter=")) return taggedCalls;
  // Others write `<tool_call>` around something that is not JSON.
  if (has("<tool_call>") && !has("<function=") && !has("<arg_key>")) return hermes;
  if (has("<function=") && !has("<parameter=")) return functionTag;
  if (has("<|start_header_id|>", '"parameters"')) return llama3;
  return null;
}
