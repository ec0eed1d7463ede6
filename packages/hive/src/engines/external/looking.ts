import type { ExternalKind } from "@rbee/contract";
import * as z from "zod";
import { fetchJson, type Said } from "./fetching.ts";
import type { Target } from "./targets.ts";

/** A model as a server tells of it. */
export interface ToldModel {
  readonly id: string;
  readonly ownedBy: string | null;
  /** Tokens of context; null where the server does not say. */
  readonly contextLength: number | null;
}

/** What one look at an address gave. */
export type Sight =
  { readonly kind: "models"; readonly models: readonly ToldModel[] } | Exclude<Said, { readonly kind: "json" }>;

/** What a server turned out to be. */
export interface Identity {
  readonly kind: ExternalKind;
  readonly version: string | null;
}

/** `data` is null where an Ollama has no model yet. */
const modelsSchema = z.object({
  data: z
    .array(
      z.object({
        id: z.string(),
        owned_by: z.string().nullable().optional().catch(null),
        max_model_len: z.int().positive().nullable().optional().catch(null),
      }),
    )
    .nullable(),
});
const versionSchema = z.object({ version: z.string().min(1).max(64) });
const lmStudioSchema = z.object({ data: z.array(z.object({ type: z.string(), state: z.string() })).min(1) });
/** How queens and hives answer `GET /health`. */
const rbeeSchema = z.union([
  z.object({ status: z.literal("alive"), hive_id: z.string() }),
  z.object({ status: z.literal("alive"), version: z.string(), ready: z.boolean() }),
]);

/** The models that a server at this address has; never rejects. */
export async function look(target: Target): Promise<Sight> {
  const said = await fetchJson(target, "/v1/models");
  if (said.kind !== "json") return said;
  const told = modelsSchema.safeParse(said.value).data;
  if (told === undefined) return { kind: "nothing", why: "its answer is no list of models" };
  const models = (told.data ?? []).map(({ id, owned_by, max_model_len }) => ({
    id,
    ownedBy: owned_by ?? null,
    contextLength: max_model_len ?? null,
  }));
  return { kind: "models", models };
}

/** What answers there, by what only servers of its kind answer; null when it is an rbee of this or another household. */
export async function identify(target: Target, models: readonly ToldModel[]): Promise<Identity | null> {
  const [health, ollama, lmStudio, version] = await Promise.all(
    ["/health", "/api/version", "/api/v0/models", "/version"].map(async (path) => {
      const said = await fetchJson(target, path);
      return said.kind === "json" ? said.value : undefined;
    }),
  );
  const owners = new Set(models.map(({ ownedBy }) => ownedBy));
  if (rbeeSchema.safeParse(health).success || owners.has("rbee")) return null;
  const versionOf = (value: unknown) => versionSchema.safeParse(value).data?.version ?? null;
  if (versionOf(ollama) !== null) return { kind: "ollama", version: versionOf(ollama) };
  if (lmStudioSchema.safeParse(lmStudio).success) return { kind: "lm-studio", version: null };
  if (owners.has("vllm")) return { kind: "vllm", version: versionOf(version) };
  if (owners.has("llamacpp")) return { kind: "llama-server", version: null };
  return { kind: "openai-compatible", version: null };
}
