import { stat } from "node:fs/promises";
import { kvProblem, leastContext, RbeeError, type KvType, type WorkerProcessOptions } from "@rbee/contract";
import {
  getLlama,
  getLlamaGpuTypes,
  InsufficientMemoryError,
  LlamaLogLevel,
  NoBinaryFoundError,
  type LlamaContextOptions,
  type LlamaModel,
} from "node-llama-cpp";
import { chooseBackend, deviceUnseen, leftOnCpu, type BackendChoice } from "./backend.ts";
import type { Engine } from "./engine.ts";
import { LlamaEngine } from "./llama-engine.ts";

const cacheTypes = { f16: "F16", q8_0: "Q8_0", q4_0: "Q4_0" } as const satisfies Record<KvType, string>;
const batchSizes = { cpu: 512, gpu: 2048 } as const;

export interface LoadHooks {
  /** 0 to 1. */
  onProgress(progress: number): void;
  /** The library's warnings and errors. */
  onLog(level: "warn" | "error", message: string): void;
}

/**
 * The context in which all slots compute.
 * @throws {RbeeError} `worker_spawn_failed` when it cannot be made as it was asked for.
 */
async function makeContext(model: LlamaModel, options: WorkerProcessOptions, sizes: LlamaContextOptions) {
  const { flash_attention, kv_type, threads } = options;
  try {
    return await model.createContext({
      ...sizes,
      threads,
      ...(flash_attention === undefined ? {} : { flashAttention: flash_attention }),
      ...(kv_type === undefined
        ? {}
        : { experimentalKvCacheKeyType: cacheTypes[kv_type], experimentalKvCacheValueType: cacheTypes[kv_type] }),
    });
  } catch (cause) {
    const isUsual = flash_attention === undefined && (kv_type === undefined || kv_type === "f16");
    if (cause instanceof InsufficientMemoryError || isUsual) throw cause;
    const asked = [
      ...(kv_type === undefined ? [] : [`an attention cache of ${kv_type}`]),
      ...(flash_attention === undefined ? [] : [`flash attention ${flash_attention ? "on" : "off"}`]),
    ];
    throw new RbeeError("worker_spawn_failed", `${options.model} cannot be run with ${asked.join(" and ")}.`, {
      details: { flash_attention: flash_attention ?? null, kv_type: kv_type ?? null },
      suggestion: "Leave both to the engine (auto), or look into the worker's log for what the engine says.",
      cause,
    });
  }
}

async function openLibrary(choice: BackendChoice, options: WorkerProcessOptions, hooks: LoadHooks) {
  const unavailable = async (cause?: unknown) =>
    new RbeeError("backend_unavailable", `The engine cannot use the ${options.backend} backend on this machine.`, {
      param: "backend",
      details: {
        requested: options.backend,
        available: (await getLlamaGpuTypes("supported")).map((type) => (type === false ? "cpu" : type)),
      },
      cause,
    });
  Object.assign(process.env, choice.environment);
  try {
    const llama = await getLlama({
      gpu: choice.gpu,
      // The library would otherwise download and compile llama.cpp when it has no binary for this machine.
      build: "never",
      skipDownload: true,
      progressLogs: false,
      // No limit of its own: the hive says how many threads a worker gets.
      maxThreads: 0,
      logLevel: LlamaLogLevel.warn,
      logger: (level, message) => {
        hooks.onLog(level === LlamaLogLevel.warn ? "warn" : "error", message.trim());
      },
    });
    if (llama.gpu === choice.gpu) return llama;
    await llama.dispose();
  } catch (error) {
    if (error instanceof NoBinaryFoundError) throw await unavailable(error);
    throw error;
  }
  throw await unavailable();
}

function loadError(error: unknown, options: WorkerProcessOptions): RbeeError {
  if (error instanceof RbeeError) return error;
  if (error instanceof InsufficientMemoryError) {
    const code = options.backend === "cpu" ? "insufficient_ram" : "insufficient_vram";
    return new RbeeError(code, `${options.model} does not fit into the memory of ${options.device}.`, {
      suggestion: "Stop another worker, or ask for fewer slots or a shorter context.",
      cause: error,
    });
  }
  return new RbeeError("worker_spawn_failed", `${options.model} could not be loaded.`, {
    suggestion: "Check that the file is a whole GGUF file; the worker's log has the engine's own message.",
    cause: error,
  });
}

/**
 * A recurrent state cannot forget only its end, and a sliding window may have given the place of what it would need
 * again to what is forgotten.
 */
function rewinds({ fileInsights }: LlamaModel): boolean {
  const { isRecurrent, isHybrid, swaSize } = fileInsights;
  return !isRecurrent && !isHybrid && (swaSize === undefined || swaSize <= 0);
}

/**
 * Loads a model onto exactly the backend and device named.
 * @throws {RbeeError} `invalid_request`, `backend_unavailable`, `insufficient_ram`, `insufficient_vram` or
 * `worker_spawn_failed`.
 */
export async function loadEngine(options: WorkerProcessOptions, hooks: LoadHooks): Promise<Engine> {
  const choice = chooseBackend(options.backend, options.device);
  const problem = kvProblem(options);
  if (problem !== null) throw new RbeeError("invalid_request", problem.message, { param: problem.param });
  try {
    const llama = await openLibrary(choice, options, hooks);
    const onGpu = choice.gpu !== false;
    const asked = { backend: options.backend, device: options.device, layers: options.gpu_layers };
    const deviceNames = onGpu ? await llama.getGpuDeviceNames() : [];
    const unseen = onGpu ? deviceUnseen(asked, deviceNames) : null;
    if (unseen !== null) throw unseen;
    const model = await llama.loadModel({
      modelPath: options.model_path,
      gpuLayers: onGpu ? (options.gpu_layers ?? "max") : 0,
      // Weights in memory of their own are read faster than mapped ones, and nobody takes them for free memory.
      useMmap: onGpu ? "auto" : false,
      onLoadProgress: hooks.onProgress,
    });
    const trained = model.trainContextSize;
    // Beyond what a model was trained for its answers get worse, so nobody gets more who did not ask for just that.
    const most = options.extend_context === true ? Number.MAX_SAFE_INTEGER : trained;
    const contextLength = Math.min(options.context_length ?? leastContext(trained), most);
    const batchSize = Math.min(onGpu ? batchSizes.gpu : batchSizes.cpu, contextLength * options.slots);
    const context = await makeContext(model, options, {
      sequences: options.slots,
      contextSize: contextLength,
      batchSize,
    });
    const bytesOnDevice = model.memoryUsage.vram + context.memoryUsage.vram;
    const left = onGpu ? leftOnCpu(asked, { deviceNames, layers: model.gpuLayers, bytes: bytesOnDevice }) : null;
    if (left !== null) throw left;
    const facts = {
      backend: options.backend,
      device: options.device,
      slots: options.slots,
      contextLength,
      trainedContextLength: trained,
      sizeBytes: (await stat(options.model_path)).size,
      batchSize: context.batchSize,
      rewinds: rewinds(model),
      chatTemplate: model.fileInfo.metadata.tokenizer.chat_template ?? null,
      release: llama.llamaCppRelease.release,
    };
    return new LlamaEngine(model, context, facts, options.threads);
  } catch (error) {
    throw loadError(error, options);
  }
}
