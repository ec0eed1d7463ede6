import {
  kvTypeSchema,
  workerEngineSchema,
  type KvType,
  type ModelSettings,
  type ModelSettingsUpdate,
  type WorkerEngine,
} from "@rbee/contract";
import { InvalidArgumentError, Option, type Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { perform, verb, type CommonOptions, type Context } from "../command.ts";
import { UsageError } from "../failure.ts";
import { settingsText } from "./settings-text.ts";

interface SetOptions extends CommonOptions {
  readonly context?: number | "auto";
  readonly extendContext?: boolean;
  readonly slots?: number | "auto";
  readonly gpuLayers?: number | "auto";
  readonly flashAttention?: "on" | "off" | "auto";
  readonly kvType?: KvType | "auto";
  readonly engine?: WorkerEngine | "auto";
  readonly idle?: number | "auto";
  readonly preload?: boolean;
}

/** A whole number, or a word that stands for something else. */
const numberOr =
  (words: Readonly<Record<string, number | "auto">>, minimum: number, maximum: number) =>
  (text: string): number | "auto" => {
    const word = words[text];
    if (word !== undefined) return word;
    try {
      return wholeNumber(minimum, maximum)(text);
    } catch {
      const other = Object.keys(words).join(" or ");
      throw new InvalidArgumentError(`It must be a whole number from ${minimum} to ${maximum}, or ${other}.`);
    }
  };

/** Null leaves the choice to the hive. */
const chosen = (value: number | "auto"): number | null => (value === "auto" ? null : value);

/** A change, told in one line on stderr, and what is worth knowing about it; the settings on stdout with `--json`. */
async function change(
  context: Context,
  model: string,
  body: ModelSettingsUpdate,
  said: string,
): Promise<ModelSettings> {
  const { connect, narrate, answer, signal } = context;
  const settings = await connect().client.updateModelSettings({ params: { id: model }, body, signal });
  narrate("queen", said.replace("%", settings.model));
  for (const note of settings.notes) narrate("queen", note);
  answer(settings, () => "");
  return settings;
}

/** `rbee model show`. */
export function modelShow(parent: Command): void {
  verb(parent, "show <model>", {
    summary: "what was decided about a model: context, slots, pin, other names, …",
    examples: ["rbee model show bee-tiny"],
  }).action((model: string, options: CommonOptions) =>
    perform(options, async ({ connect, answer, signal }) => {
      const settings = await connect().client.modelSettings({ params: { id: model }, signal });
      // Only a model that is spread names machines.
      const hives = settings.across.length === 0 ? [] : (await connect().client.fleet({ signal })).hives;
      const nameOf = (id: string) => hives.find(({ hive_id }) => hive_id === id)?.name ?? id;
      answer(settings, () => settingsText(settings, nameOf));
    }),
  );
}

/** `rbee model set`. */
export function modelSet(parent: Command): void {
  verb(parent, "set <model>", {
    summary: "decide how a model is run; workers that run now keep what they were started with",
    examples: [
      "rbee model set mistral-7b --context 16384 --slots 2",
      "rbee model set mistral-7b --gpu-layers 20 --idle never --preload",
      "rbee model set mistral-7b --context auto --gpu-layers auto",
      "rbee model set mistral-7b --kv-type q8_0 --flash-attention on",
      "rbee model set mistral-7b --engine llama-server",
    ],
  })
    .option("--context <tokens>", "tokens of context per slot, or auto", numberOr({ auto: "auto" }, 64, 1_048_576))
    .option("--extend-context", "allow more context than the model was trained for; answers get worse")
    .option("--no-extend-context", "keep to what it was trained for")
    .option("--slots <count>", "requests answered at the same time, or auto", numberOr({ auto: "auto" }, 1, 64))
    .option("--gpu-layers <count>", "layers on the GPU, or auto for all of them", numberOr({ auto: "auto" }, 0, 1_024))
    .addOption(
      new Option("--flash-attention <choice>", "attention in one pass, with less memory").choices([
        "on",
        "off",
        "auto",
      ]),
    )
    .addOption(
      new Option(
        "--kv-type <type>",
        "how the attention cache is kept: q8_0 and q4_0 take less memory than f16",
      ).choices([...kvTypeSchema.options, "auto"]),
    )
    .addOption(
      new Option("--engine <name>", "what it runs on; only machines that have it run the model then").choices([
        ...workerEngineSchema.options,
        "auto",
      ]),
    )
    .option(
      "--idle <seconds>",
      "stop after so long without work, or never, or auto",
      numberOr({ never: -1, auto: "auto" }, 0, 31_536_000),
    )
    .option("--preload", "load it when the queen starts and when a machine that has it comes back")
    .option("--no-preload", "load it when somebody asks for it")
    .action((model: string, options: SetOptions) =>
      perform(options, async (context) => {
        const {
          context: context_length,
          extendContext,
          slots,
          gpuLayers,
          flashAttention,
          kvType,
          engine,
          idle,
          preload,
        } = options;
        const body: ModelSettingsUpdate = {
          ...(context_length === undefined ? {} : { context_length: chosen(context_length) }),
          ...(extendContext === undefined ? {} : { extend_context: extendContext }),
          ...(slots === undefined ? {} : { slots: chosen(slots) }),
          ...(gpuLayers === undefined ? {} : { gpu_layers: chosen(gpuLayers) }),
          ...(flashAttention === undefined
            ? {}
            : { flash_attention: flashAttention === "auto" ? null : flashAttention === "on" }),
          ...(engine === undefined ? {} : { engine: engine === "auto" ? null : engine }),
          ...(kvType === undefined ? {} : { kv_type: kvType === "auto" ? null : kvType }),
          ...(idle === undefined ? {} : { idle_stop_s: chosen(idle) }),
          ...(preload === undefined ? {} : { preload }),
        };
        if (Object.keys(body).length === 0)
          throw new UsageError("There is nothing to change.", "Name at least one setting, for example --slots 2.");
        await change(context, model, body, "the settings of % are changed");
      }),
    );
}

/** `rbee model pin`. */
export function modelPin(parent: Command): void {
  verb(parent, "pin <model>", {
    summary: "keep a model: it is not deleted without force, makes no room for others, and does not stop when idle",
    examples: ["rbee model pin bee-tiny"],
  }).action((model: string, options: CommonOptions) =>
    perform(options, async (context) => {
      await change(context, model, { pinned: true }, "% is pinned");
    }),
  );
}

/** `rbee model unpin`. */
export function modelUnpin(parent: Command): void {
  verb(parent, "unpin <model>", { summary: "undo that", examples: ["rbee model unpin bee-tiny"] }).action(
    (model: string, options: CommonOptions) =>
      perform(options, async (context) => {
        await change(context, model, { pinned: false }, "% is not pinned any more");
      }),
  );
}

/** `rbee model alias`. */
export function modelAlias(parent: Command): void {
  verb(parent, "alias <model> <name>", {
    summary: "give a model another name, by which everybody can ask for it",
    examples: ["rbee model alias mistral-7b helper"],
  }).action((model: string, name: string, options: CommonOptions) =>
    perform(options, async (context) => {
      const { client } = context.connect();
      const before = await client.modelSettings({ params: { id: model }, signal: context.signal });
      const aliases = [...new Set([...before.aliases, name])];
      await change(context, model, { aliases }, `% is called ${name} too`);
    }),
  );
}

/** `rbee model unalias`. */
export function modelUnalias(parent: Command): void {
  verb(parent, "unalias <name>", {
    summary: "take another name of a model away",
    examples: ["rbee model unalias helper"],
  }).action((name: string, options: CommonOptions) =>
    perform(options, async (context) => {
      const { client } = context.connect();
      const before = await client.modelSettings({ params: { id: name }, signal: context.signal });
      if (!before.aliases.includes(name))
        throw new UsageError(
          `${name} is a model's own name.`,
          "Name one of its other names: `rbee model show` has them.",
        );
      const aliases = before.aliases.filter((alias) => alias !== name);
      await change(context, before.model, { aliases }, `% is not called ${name} any more`);
    }),
  );
}
