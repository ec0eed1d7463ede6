import { modelSettingsUpdateSchema, parseInput, RbeeError, type ModelSettings } from "@rbee/contract";
import { adminOf, personOf } from "../../../access.ts";
import { attempt, textOf } from "../../../action-errors.ts";
import { modelWork } from "../../../model-work.ts";
import type { Actions, PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  const { user } = personOf(event);
  const { locals, params } = event;
  if (user.role !== "admin") return { model: params.id, settings: null, work: null };
  const concerns = (named: unknown) => named === params.id;
  return {
    model: params.id,
    settings: settingsOf(locals, params.id),
    work: modelWork(locals, ({ input }) => concerns(input["model"])),
  };
};

/** Null for a model that is gone, whose page still tells what is being done with it, and for one that only a server of others has. */
function settingsOf({ queen }: App.Locals, id: string): ModelSettings | null {
  try {
    return queen.models.settings(id);
  } catch (thrown) {
    if (thrown instanceof RbeeError && (thrown.code === "model_not_found" || thrown.code === "invalid_request")) return null;
    throw thrown;
  }
}

/** An empty field leaves the choice to the hive. */
const numberOf = (form: FormData, name: string) => (textOf(form, name).trim() === "" ? null : Number(textOf(form, name)));

/** What a choice stands for; one that is not among them is left to the engine. */
const choiceOf = <T>(form: FormData, name: string, choices: Readonly<Record<string, T>>): T | null =>
  choices[textOf(form, name)] ?? null;

export const actions: Actions = {
  settings: async (event) => {
    const admin = adminOf(event);
    const form = await event.request.formData();
    return attempt(async () => {
      const change = parseInput(modelSettingsUpdateSchema, {
        context_length: numberOf(form, "context_length"),
        extend_context: form.has("extend_context"),
        slots: numberOf(form, "slots"),
        gpu_layers: numberOf(form, "gpu_layers"),
        flash_attention: choiceOf(form, "flash_attention", { on: true, off: false }),
        kv_type: textOf(form, "kv_type") === "" ? null : textOf(form, "kv_type"),
        engine: textOf(form, "engine") === "" ? null : textOf(form, "engine"),
        idle_stop_s: numberOf(form, "idle_stop_s"),
        preload: form.has("preload"),
        pinned: form.has("pinned"),
        across: form.getAll("across").map(String),
        aliases: textOf(form, "aliases")
          .split(/[\s,]+/u)
          .filter((name) => name !== ""),
      });
      return { saved: await event.locals.queen.models.update(admin, event.params.id, change) };
    });
  },
};
