import { backendSchema, type Backend, type PlacementExplanation } from "@rbee/contract";
import { Option, type Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { formatDuration } from "../terminal/format.ts";
import { table } from "../terminal/table.ts";

interface Options extends CommonOptions {
  readonly hive?: string;
  readonly backend?: Backend;
  readonly device?: string;
}

const mb = (value: number | null): string => (value === null ? "–" : `${Math.round(value)} MB`);

/** How one machine stands to a model, the rest of it under its sentence. */
function detail({ context, breaker, workers, evicts }: PlacementExplanation["hives"][number], now: number): string[] {
  const failed =
    breaker === null
      ? []
      : [
          `${breaker.failures === 1 ? "the last load" : `the last ${breaker.failures} loads`} failed: ${breaker.error.message}` +
            (breaker.retry_at === null ? "" : ` It is left alone for ${formatDuration(breaker.retry_at - now)}.`),
        ];
  return [
    ...workers.map(
      ({ worker_id, state, device, requests, slots_total, context_length }) =>
        `${worker_id} is ${state}${device === null ? "" : ` on ${device}`}, ${requests} of ${slots_total ?? "?"} slots in use` +
        (context_length === null ? "" : `, ${context_length} tokens of context each`),
    ),
    ...(context === null || workers.length > 0 ? [] : [context.message]),
    ...evicts.map(
      ({ worker_id, model, idle_s }) =>
        `would stop ${worker_id} (${model}${idle_s === null ? "" : `, idle for ${formatDuration(idle_s * 1_000)}`})`,
    ),
    ...failed,
  ];
}

/** An explanation for people: the decision, the machines in a table, and why each is a place or is not. */
export function explanationText({ decision, hives, settings, preload }: PlacementExplanation, now: number): string {
  const { context_length, slots, gpu_layers, flash_attention, kv_type, engine, pinned } = settings;
  const decided = [
    ...(context_length === null ? [] : [`context ${context_length}`]),
    ...(slots === null ? [] : [`${slots} slots`]),
    ...(gpu_layers === null ? [] : [`${gpu_layers} layers on the GPU`]),
    ...(flash_attention === null ? [] : [`flash attention ${flash_attention ? "on" : "off"}`]),
    ...(kv_type === null ? [] : [`attention cache ${kv_type}`]),
    ...(engine === null ? [] : [`on ${engine}`]),
    ...(pinned ? ["pinned"] : []),
  ];
  const machines = table(hives, [
    { title: "", cell: ({ chosen }) => (chosen ? ">" : " ") },
    { title: "HIVE", cell: ({ name }) => name },
    { title: "VERDICT", cell: ({ verdict }) => verdict.replace("_", " ") },
    { title: "DEVICE", cell: ({ device }) => device ?? "–" },
    { title: "NEEDS", cell: ({ need_mb }) => mb(need_mb), align: "right" },
    { title: "FREE", cell: ({ have_mb }) => mb(have_mb), align: "right" },
  ]);
  const reasons = hives.flatMap((hive) => [hive.reason, ...detail(hive, now).map((line) => `  ${line}`)]);
  return [
    decision.message,
    ...(decided.length === 0 ? [] : [`Settings: ${decided.join(", ")}.`]),
    ...(preload === null
      ? []
      : [`At the start: ${preload.state}${preload.error === null ? "." : `: ${preload.error.message}`}`]),
    "",
    machines,
    "",
    ...reasons,
  ].join("\n");
}

/** `rbee explain`: where a request for a model would go, and why there and not elsewhere. */
export function explain(parent: Command): void {
  verb(parent, "explain <model>", {
    summary: "where a request for a model would go now, and why there and not elsewhere",
    examples: ["rbee explain bee-tiny", "rbee explain mistral-7b --hive gaming-pc --backend cuda"],
  })
    .option("--hive <name>", "as if it had to be this machine")
    .addOption(new Option("--backend <name>", "as if it had to be this kind of device").choices(backendSchema.options))
    .option("--device <id>", "as if it had to be this device, such as cuda:0")
    .action((model: string, options: Options) =>
      perform(options, async ({ connect, answer, signal }) => {
        const { hive, backend, device } = options;
        const explanation = await connect().client.explainModel({
          params: { id: model },
          query: {
            ...(hive === undefined ? {} : { hive }),
            ...(backend === undefined ? {} : { backend }),
            ...(device === undefined ? {} : { device }),
          },
          signal,
        });
        answer(explanation, () => explanationText(explanation, Date.now()));
      }),
    );
}
