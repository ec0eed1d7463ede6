import type { WorkerProcessOptions } from "@rbee/contract";
import type { Launch } from "../engine.ts";
import type { ProgramFacts } from "./look.ts";

/** Where it is to listen. */
export type ListensOn = { readonly kind: "socket"; readonly path: string } | { readonly kind: "port" };

/** Whether this version can listen on a Unix socket. */
export const takesSockets = ({ help }: Pick<ProgramFacts, "help">): boolean => /\.sock\b/u.test(help);

/** Whether this version knows a flag. */
const knows = ({ help }: Pick<ProgramFacts, "help">, flag: string): boolean =>
  new RegExp(`(?:^|[\\s,])${flag}(?=[\\s,]|$)`, "mu").test(help);

/**
 * llama-server's command line for one model. Flags that a version may lack are left out where its help does not name
 * them; none of them changes what is answered.
 */
export function argumentsFor(
  { options, contextPerSlot, architecture, flags = [] }: Omit<Launch, "env" | "log">,
  on: ListensOn,
  facts: ProgramFacts,
): string[] {
  const { model, model_path, slots, threads, extend_context, flash_attention, kv_type } = options;
  const optional = (flag: string, ...values: string[]) => (knows(facts, flag) ? [flag, ...values] : []);
  return [
    ...["--model", model_path, "--alias", model, "--jinja"],
    ...(on.kind === "socket" ? ["--host", on.path] : ["--host", "127.0.0.1", "--port", "0"]),
    ...["--ctx-size", String(contextPerSlot * slots), "--parallel", String(slots)],
    // It holds a slot to what the header says, so that has to say more.
    ...(extend_context === true && architecture !== null
      ? ["--override-kv", `${architecture}.context_length=int:${contextPerSlot}`]
      : []),
    ...["--threads", String(threads)],
    ...(flash_attention === undefined ? [] : ["--flash-attn", flash_attention ? "on" : "off"]),
    ...(kv_type === undefined ? [] : ["--cache-type-k", kv_type, "--cache-type-v", kv_type]),
    ...deviceArguments(options, facts),
    // As our own workers have them: faster than mapped ones, and nobody takes them for free memory.
    ...(options.backend === "cpu" ? optional("--no-mmap") : []),
    ...optional("--no-webui"),
    ...optional("--slots"),
    // What it would take beyond the estimate that it was admitted by: a cache of prompts in main memory.
    ...optional("--cache-ram", "0"),
    // Context and layers are decided; it would choose smaller ones itself and not say so.
    ...optional("--fit", "off"),
    ...optional("--offline"),
    ...optional("--log-colors", "off"),
    ...flags,
  ];
}

/** Exactly the device that was asked for: whoever asks for a CPU must not wake a GPU, and the other way round. */
function deviceArguments(
  { backend, device, gpu_layers }: Pick<WorkerProcessOptions, "backend" | "device" | "gpu_layers">,
  { devices }: ProgramFacts,
): string[] {
  if (backend === "cpu") return ["--device", "none", "--n-gpu-layers", "0"];
  const names = devices[backend] ?? [];
  // A hive that shows a process one card alone lets it count from zero.
  const name = names[backend === "vulkan" ? Number(device.split(":")[1] ?? 0) : 0] ?? names[0] ?? "none";
  return ["--device", name, "--split-mode", "none", "--n-gpu-layers", String(gpu_layers ?? 999)];
}
