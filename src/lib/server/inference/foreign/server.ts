import { externalKindNames, type Engine, type ExternalKind } from "@rbee/contract";
import type { WorkerView } from "../views.ts";

/** A worker that is not our own program, as far as its requests and answers go. */
export interface ForeignServer {
  readonly engine: Exclude<Engine, "node-llama-cpp">;
  readonly kind: ExternalKind;
  /** As sentences name it: `Ollama on attic`. */
  readonly name: string;
  /** What it calls the model itself. */
  readonly model: string;
}

/** What a worker is besides ours; null for one of ours. */
export function foreignServer(
  { engine = "node-llama-cpp", external, model }: Pick<WorkerView, "engine" | "external" | "model">,
  hiveName: string,
): ForeignServer | null {
  if (engine === "node-llama-cpp") return null;
  const kind = external?.kind ?? "llama-server";
  return {
    engine,
    kind,
    name: `${external?.name ?? externalKindNames[kind]} on ${hiveName}`,
    model: external?.model ?? model,
  };
}
