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

/** Null for a model that is gone: its page still tells what is being done with it. */
function settingsOf({ queen }: App.Locals, id: string): ModelSettings | null {
  try {
    return queen.models.settings(id);
  } catch (thrown) {
    if (thrown instanceof RbeeError && thrown.code === "model_not_found") return null;
    throw thrown;
  }
}

/** An empty field leaves the choice to the hive. */
const numberOf = (form: FormData, name: string) => (textOf(form, name).trim() === "" ? null : Number(textOf(form, name)));

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
