import type { HiveView, WorkerView } from "./views.ts";
import type { Verdict } from "./verdict.ts";
import { withoutLog } from "./told-to.ts";

const mb = (value: number) => `${Math.floor(value)} MB`;

/** `wasp and hornet`, each model once. */
export function modelsOf(workers: readonly WorkerView[]): string {
  const names = [...new Set(workers.map(({ model }) => model))];
  const last = names.pop() ?? "";
  return names.length === 0 ? last : `${names.join(", ")} and ${last}`;
}

function doing(workers: readonly WorkerView[]): string {
  const [one, ...more] = workers;
  if (one === undefined) return "";
  const each = workers.every(({ running }) => running > 0)
    ? "answering"
    : workers.every(({ state }) => state === "starting" || state === "loading")
      ? "loading"
      : "in use";
  return `${more.length === 0 ? "is" : "are"} ${each}`;
}

const where = (device: { id: string }) => (device.id === "cpu" ? "memory" : `memory on ${device.id}`);

/** `bee`, or a machine's part of it. */
const partOf = (model: string, { share }: { readonly share?: number }) =>
  share === undefined ? model : `its ${Math.round(share * 100)} % of ${model}`;

/** A verdict as one plain clause, without a full stop. */
export function sentence(model: string, { name, devices }: HiveView, verdict: Verdict): string {
  switch (verdict.kind) {
    case "down":
      return `${name} is down`;
    case "starting":
      return `${name} has not reported yet`;
    case "untold":
      return `${name} has not told which models it has`;
    case "unfit":
      return `${name} ${verdict.why}`;
    case "no_model":
      return `${name} does not have ${model}`;
    case "served":
      return `${verdict.server} serves ${model}; rbee starts no worker of it`;
    case "vanished":
      return `${verdict.server} served ${model} and does not any more`;
    case "no_backend":
      return `${name} has no ${verdict.asked}; it has ${devices.map(({ id }) => id).join(", ") || "nothing that computes"}`;
    case "no_engine":
      return `${name} has no ${verdict.asked}, which ${model} is set to run on`;
    case "failing": {
      const { failures, error, retryAfterS } = verdict.failing;
      const tries = failures === 1 ? "Loading" : `${failures} times in a row loading`;
      return `${tries.charAt(0).toLowerCase()}${tries.slice(1)} ${model} on ${name} failed (${withoutLog(error.message).replace(/\.$/u, "")})${retryAfterS > 0 ? `; it is tried again in ${Math.ceil(retryAfterS)} s` : ""}`;
    }
    case "load":
      return verdict.haveMb === null
        ? `${name} can load ${model} on ${verdict.device.id}; how much is free there cannot be measured`
        : `${name} has ${mb(verdict.haveMb)} of ${where(verdict.device)} free, ${partOf(model, verdict)} needs about ${mb(verdict.needMb)}`;
    case "evict":
      return `${name} has ${mb(verdict.haveMb ?? 0)} of ${where(verdict.device)} free, ${partOf(model, verdict)} needs about ${mb(verdict.needMb)}: ${modelsOf(verdict.evicts)} would be stopped, having nothing to do`;
    case "later":
      return `${name} has ${mb(verdict.haveMb ?? 0)} of ${where(verdict.device)} free, ${partOf(model, verdict)} needs about ${mb(verdict.needMb)}: it waits while ${modelsOf(verdict.frees)} ${doing(verdict.frees)}`;
    case "no_memory":
      return `${name} has ${mb(verdict.haveMb)} of ${where(verdict.device)} free, ${partOf(model, verdict)} needs about ${mb(verdict.needMb)}`;
  }
}
