import type {
  HiveModel,
  ollamaRunningSchema,
  ollamaShowSchema,
  ollamaTagsSchema,
  WorkerTelemetry,
} from "@rbee/contract";
import type * as z from "zod";
import { modelNameOf } from "./request.ts";

/** Parameters as people write them: `7.6B`, `494M`. */
function sizeOf(parameters: number | null): string {
  if (parameters === null) return "";
  const [unit, letter] = parameters >= 1e9 ? [1e9, "B"] : parameters >= 1e6 ? [1e6, "M"] : [1e3, "K"];
  const amount = parameters / unit;
  return `${amount < 100 ? amount.toFixed(1) : Math.round(amount)}${letter}`;
}

const detailsOf = ({ architecture, parameters, quantization }: HiveModel) => ({
  parent_model: "",
  format: "gguf" as const,
  family: architecture ?? "",
  families: architecture === null ? [] : [architecture],
  parameter_size: sizeOf(parameters),
  quantization_level: quantization ?? "",
});

const listed = (model: HiveModel) => ({
  name: modelNameOf(model.id),
  model: modelNameOf(model.id),
  size: model.size_bytes,
  digest: model.files[0]?.sha256 ?? "",
  details: detailsOf(model),
});

const unknownDetails = { parent_model: "", families: [], family: "", parameter_size: "", quantization_level: "" };

/** A model of somebody else's server: nothing of its files is known. */
const listedExternal = ({ model }: WorkerTelemetry) => ({
  name: modelNameOf(model),
  model: modelNameOf(model),
  size: null,
  digest: "",
  details: { ...unknownDetails, format: "" as const },
});

/** What `GET /api/tags` answers. When files were changed is not known. */
export const tagsOf = (
  models: readonly HiveModel[],
  externals: readonly WorkerTelemetry[] = [],
): z.infer<typeof ollamaTagsSchema> => ({
  models: [...models.map(listed), ...externals.map(listedExternal)].map((model) => ({ ...model, modified_at: null })),
});

/** What `POST /api/show` answers for one. */
export const shownExternal = (worker: WorkerTelemetry): z.infer<typeof ollamaShowSchema> => ({
  license: "",
  modelfile: "",
  parameters: "",
  template: "",
  details: listedExternal(worker).details,
  model_info: {},
  capabilities: ["completion"],
  modified_at: null,
});

/** What `GET /api/ps` answers: each loaded model once, by the worker that stays longest. */
export function runningOf(
  models: readonly HiveModel[],
  workers: readonly WorkerTelemetry[],
  nowMs: number,
): z.infer<typeof ollamaRunningSchema> {
  const loaded = workers.filter(({ state }) => state === "ready" || state === "busy");
  return {
    models: models.flatMap((model) => {
      const own = loaded.filter((worker) => worker.model === model.id);
      if (own.length === 0) return [];
      const stops = own.map((worker) => worker.stops_in_s);
      const last = stops.includes(null) ? null : Math.max(...stops.map((seconds) => seconds ?? 0));
      const vram = own.map((worker) => worker.vram_mb).filter((mb) => mb !== null);
      const contexts = own.map((worker) => worker.context_length).filter((tokens) => tokens !== null);
      return [
        {
          ...listed(model),
          expires_at: last === null ? null : new Date(nowMs + last * 1_000).toISOString(),
          size_vram: vram.length === 0 ? null : Math.round(vram.reduce((sum, mb) => sum + mb, 0) * 1024 * 1024),
          context_length: contexts.length === 0 ? null : Math.max(...contexts),
        },
      ];
    }),
  };
}

/** What `POST /api/show` answers. */
export function shownModel(model: HiveModel): z.infer<typeof ollamaShowSchema> {
  const { architecture, parameters, context_length, memory } = model;
  const family = architecture ?? "unknown";
  return {
    license: "",
    modelfile: "",
    parameters: "",
    template: "",
    details: detailsOf(model),
    model_info: {
      "general.architecture": architecture,
      "general.parameter_count": parameters,
      [`${family}.context_length`]: context_length,
      [`${family}.embedding_length`]: memory?.embedding_length ?? null,
      [`${family}.block_count`]: memory?.layers ?? null,
    },
    capabilities: model.has_chat_template ? ["completion"] : [],
    modified_at: null,
  };
}
