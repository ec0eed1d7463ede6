import type { FleetModel } from "@rbee/contract";
import { percent, speed } from "#lib/format/quantities.ts";
import { duration } from "#lib/format/times.ts";
import type { Answer } from "#lib/state/chat.svelte.ts";
import { words } from "#lib/words/index.ts";

const say = words.chat;

/** What the wait before the first word is for, as far as it is known. */
export function waitText(
  { wait, model: id }: Pick<Answer, "wait" | "model">,
  model: Pick<FleetModel, "state" | "load_progress"> | undefined,
): string {
  if (wait.type === "reading") return say.phases.reading(wait.done, wait.total);
  if (wait.type === "queued") return wait.place === null ? say.phases.queued : say.phases.queuedAt(wait.place);
  if (wait.type === "in_line") return say.phases.inLine(wait.place);
  if (model?.state === "loading")
    return say.phases.loading(id, model.load_progress === null ? "" : `, ${percent(model.load_progress * 100)}`);
  return model?.state === "unloaded" ? say.phases.loading(id, "") : say.phases.thinking;
}

/** The faint line under an answer: how it ended, who gave it, how fast. Only what was measured. */
export function figuresOf(
  answer: Pick<Answer, "state" | "finish" | "model" | "timings" | "firstWordMs">,
  machine: string | null,
): string {
  const parts: string[] = [];
  if (answer.state === "stopped") parts.push(say.stopped.replace(/\.$/u, ""));
  if (answer.finish === "length") parts.push(say.lengthLimit.replace(/\.$/u, ""));
  parts.push(machine === null ? answer.model : say.figures.by(answer.model, machine));
  if (answer.timings !== null) {
    parts.push(say.figures.speed(speed(answer.timings.predicted_per_second)));
    parts.push(say.figures.tokens(answer.timings.predicted_n));
  }
  if (answer.firstWordMs !== null) parts.push(say.figures.first(duration(answer.firstWordMs)));
  return parts.join(" · ");
}
