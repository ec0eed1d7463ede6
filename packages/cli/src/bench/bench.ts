import type { FleetSnapshot, ModelSettings, QueenClient } from "@rbee/contract";
import type { Command } from "commander";
import { perform, verb, type CommonOptions, type Context } from "../command.ts";
import type { Connection } from "../connection/connect.ts";
import { obviousModel, reportedModels, whichModel } from "../inference/choose-model.ts";
import { withQueen } from "../inference/with-queen.ts";
import { findings, type Place } from "./limits.ts";
import { measure, type Measured } from "./measure.ts";
import { benchText, type BenchReport } from "./report.ts";

interface Options extends CommonOptions {
  readonly model?: string;
  readonly node?: string;
}

/** What is known of the place, from what the hive told and what was decided about the model. */
function placeOf(
  { hives }: FleetSnapshot,
  { hiveId, workerId }: Measured,
  model: string,
  settings: ModelSettings | null,
): Place & { contextLength: number | null; slots: number | null } {
  const hive = hives.find(({ hive_id }) => hive_id === hiveId);
  const worker = hive?.workers.find(({ worker_id }) => worker_id === workerId);
  const copy = hive?.capabilities?.models.find(({ id }) => id === (worker?.model ?? model));
  const layers = copy?.memory?.layers ?? null;
  return {
    backend: worker?.backend ?? null,
    device: worker?.device ?? null,
    deviceName: hive?.capabilities?.devices.find(({ id }) => id === worker?.device)?.name ?? null,
    threads: hive?.capabilities?.cpu.threads ?? null,
    modelBytes: copy?.size_bytes ?? null,
    // The output counts as one more.
    layers: layers === null ? null : layers + 1,
    gpuLayers: settings?.gpu_layers ?? null,
    contextLength: worker?.context_length ?? null,
    slots: worker?.slots_total ?? null,
  };
}

/** What was decided about the model; null for who may not know. */
const settingsOf = (client: QueenClient, model: string, signal: AbortSignal): Promise<ModelSettings | null> =>
  client.modelSettings({ params: { id: model }, signal }).catch(() => null);

async function bench(context: Context, connection: Connection, { model: wanted, node }: Options): Promise<void> {
  const { signal } = context;
  const { client } = connection;
  let model = wanted;
  if (model === undefined) {
    const models = await reportedModels(client, signal);
    model = obviousModel(models);
    if (model === undefined) throw whichModel(models, " with --model");
  }
  const measured = await measure(context, connection, { model, node });
  const [fleet, settings] = await Promise.all([client.fleet({ signal }), settingsOf(client, model, signal)]);
  const place = placeOf(fleet, measured, model, settings);
  const { load } = measured;
  const report: BenchReport = {
    ...{ model, hive: measured.hive, hive_id: measured.hiveId, worker_id: measured.workerId },
    ...{ backend: place.backend, device: place.device, device_name: place.deviceName },
    ...{ context_length: place.contextLength, slots: place.slots, model_bytes: place.modelBytes },
    ...{ prefill: measured.prefill, decode: measured.decode, complete: !measured.cutShort },
    machine: {
      ...{ threads: place.threads, worker_cores: load.workerCores, other_cores: load.otherCores },
      ...{ load1: load.load1, gpu_pct: load.gpuPct },
    },
    findings: findings(measured, place),
  };
  context.answer(report, () => benchText(report));
}

/** `rbee bench`: how fast a machine is with a model, and what limits it. */
export function benchmark(parent: Command): void {
  verb(parent, "bench", {
    summary: "measure how fast a machine reads prompts and writes answers, and what limits it; half a minute at most",
    examples: ["rbee bench", "rbee bench --model mistral-7b --node gaming-pc", "rbee bench --json"],
  })
    .option("--model <name>", "which model; the only one, or the only loaded one, when left out")
    .option("--node <name>", "the machine that is measured; the queen chooses when left out")
    .action((options: Options) =>
      perform(options, async (context) => {
        await withQueen(context, (connection) => bench(context, connection, options));
      }),
    );
}
