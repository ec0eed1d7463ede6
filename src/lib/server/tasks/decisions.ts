import { formatModelReference, parseModelReference, RbeeError, type TaskRequest } from "@rbee/contract";
import type { Where } from "#lib/server/inference/index.ts";
import { isCalled, isUp, memoryOf } from "#lib/server/jobs/index.ts";
import type { TaskHive, TaskHousehold } from "./household.ts";

/** What of a task decides where it goes. */
export type Question = Pick<TaskRequest, "node" | "model" | "backend" | "device">;

interface Refusal {
  readonly kind: "refused";
  readonly error: RbeeError;
  /** Whether the answer may change within seconds, because a hive is still on its way. */
  readonly soon: boolean;
}

/** Where a task is to be answered. */
export type Destination =
  /** By this hive, which may have to be started first. */
  | { readonly kind: "hive"; readonly hive: TaskHive }
  /** On this registered machine, of whose hive nothing is known. */
  | { readonly kind: "machine"; readonly name: string }
  /** Wherever placement likes best: who is needed is up. */
  | { readonly kind: "any" }
  | Refusal;

/** What has to be done, once whoever is needed is up. */
export type Plan =
  | { readonly kind: "run"; readonly model: string; readonly where: Where }
  /** Nobody suitable has the model; null lets rbee choose who gets it. */
  | { readonly kind: "fetch"; readonly hiveId: string | null }
  | Refusal;

const refused = (error: RbeeError, soon = false): Refusal => ({ kind: "refused", error, soon });
const sameText = (one: string, other: string) => one.toLowerCase() === other.toLowerCase();
const names = (hives: readonly { readonly name: string }[]) => hives.map(({ name }) => name).join(", ");

/** The one text for the model that is asked for. */
const wanted = ({ model }: Question) => formatModelReference(parseModelReference(model));
const modelAt = ({ told }: TaskHive, name: string) =>
  told?.models.find(({ id }) => id === name) ?? told?.models.find((model) => isCalled(model, name));
const isStarting = ({ health, told }: TaskHive) => health === "starting" || (isUp({ health }) && told === null);

/** Whether a hive has what the task insists on, as far as it has told. */
function canUse({ told }: TaskHive, { backend, device }: Question): boolean {
  if (backend === undefined && device === undefined) return true;
  return (
    told?.devices.some(
      (each) =>
        told.backends.includes(each.backend) &&
        (backend === undefined || each.backend === backend) &&
        (device === undefined || each.id === device),
    ) === true
  );
}

/** The hives where a server of somebody else serves the model; none for who insists on a backend or device. */
const servers = ({ model, backend, device }: Question, hives: readonly TaskHive[]) =>
  backend === undefined && device === undefined
    ? hives.filter((hive) => isUp(hive) && hive.served.includes(model))
    : [];

function namedDestination(node: string, { hives, machines }: TaskHousehold): Destination {
  const byId = hives.find(({ hiveId }) => hiveId === node);
  if (byId !== undefined) return { kind: "hive", hive: byId };
  const alike = hives.filter(({ name, machine }) => sameText(name, node) || machine === node);
  const exact = alike.filter(({ name, machine }) => name === node || machine === node);
  const [hive, ...more] = exact.length > 0 ? exact : alike;
  if (hive !== undefined && more.length > 0)
    return refused(
      new RbeeError("invalid_request", `${more.length + 1} machines are called ${node}.`, {
        param: "node",
        suggestion: `Name one by its id: ${[hive, ...more].map(({ hiveId }) => hiveId).join(", ")}.`,
      }),
    );
  if (hive !== undefined) return { kind: "hive", hive };
  const machine = machines.find(({ name, target }) => name === node || target === node);
  if (machine !== undefined) return { kind: "machine", name: machine.name };
  const known = [...hives, ...machines];
  return refused(
    new RbeeError("node_not_found", `No machine ${node} is in the household.`, {
      param: "node",
      details: { nodes: known.map(({ name }) => name) },
      suggestion: `${known.length === 0 ? "It has none yet" : `It has: ${names(known)}`}. \`rbee hive install ${node}\` makes a machine a hive, \`rbee hive add ${node}\` registers one.`,
    }),
  );
}

const modelNotFound = (model: string, { hives }: TaskHousehold): RbeeError => {
  const known = [...new Set(hives.flatMap(({ told }) => told?.models.map(({ id }) => id) ?? []))].toSorted();
  return new RbeeError("model_not_found", `No hive of this household has the model ${model}.`, {
    param: "model",
    details: { models: known },
    suggestion:
      known.length === 0
        ? "`rbee model pull hf:org/repo` fetches one."
        : `It has: ${known.slice(0, 20).join(", ")}. \`rbee model pull hf:org/repo\` fetches another.`,
  });
};

const notReported = (hives: readonly TaskHive[]): RbeeError =>
  new RbeeError("model_loading", `${names(hives)} has only just started and has not told what it has.`, {
    retryAfterS: 5,
  });

/**
 * Decides where a task is to be answered: by the node it names; else by whoever is up and has the model; else by a
 * stopped hive that has it and can be started over SSH; else wherever it can be fetched to.
 */
export function destinationOf(question: Question, household: TaskHousehold): Destination {
  const { node } = question;
  if (node !== undefined) return namedDestination(node, household);
  const { hives } = household;
  const model = wanted(question);
  const holders = hives.filter((hive) => modelAt(hive, model) !== undefined);
  const suitable = holders.filter((hive) => canUse(hive, question));
  if (suitable.some(isUp) || servers(question, hives).length > 0) return { kind: "any" };
  const starting = hives.filter(isStarting);
  if (starting.length > 0) return refused(notReported(starting), true);
  const stopped = suitable
    .filter(({ machine }) => machine !== null)
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))[0];
  if (stopped !== undefined) return { kind: "hive", hive: stopped };
  if (holders.length === 0 && parseModelReference(model).kind === "name")
    return refused(modelNotFound(model, household));
  const canComeFrom = holders.length === 0 || holders.some(isUp);
  if (hives.some(isUp) && canComeFrom) return { kind: "any" };
  const down = holders.length === 0 ? hives : holders;
  return refused(
    new RbeeError(
      "hive_down",
      down.length === 0 ? "The household has no machine yet." : `${names(down)} could answer this, and is down.`,
      { suggestion: "Start rbee-hive on that machine." },
    ),
  );
}

function backendUnavailable({ backend, device }: Question, candidates: readonly TaskHive[]): RbeeError {
  const asked = [backend, device].filter((one) => one !== undefined).join(" with the device ");
  const available = Object.fromEntries(
    candidates.map(({ name, told }) => [
      name,
      told?.devices.filter((each) => told.backends.includes(each.backend)).map(({ id }) => id) ?? [],
    ]),
  );
  const list = Object.entries(available).map(([name, devices]) => `${name}: ${devices.join(", ")}`);
  return new RbeeError("backend_unavailable", `${names(candidates)} does not have ${asked}.`, {
    param: backend === undefined ? "device" : "backend",
    details: {
      requested: asked,
      available_backends: [...new Set(candidates.flatMap(({ told }) => told?.backends ?? []))],
      available_devices: [...new Set(Object.values(available).flat())],
      machines: available,
    },
    suggestion: `There is ${list.join("; ")}.`,
  });
}

/**
 * Decides what a task needs once whoever answers it is up.
 * @param only id of the hive that must answer it; null for any.
 */
export function planOf(question: Question, household: TaskHousehold, only: string | null): Plan {
  const { backend, device } = question;
  const model = wanted(question);
  const up = household.hives.filter((hive) => isUp(hive) && (only === null || hive.hiveId === only));
  const candidates = up.filter(({ told }) => told !== null);
  if (candidates.length === 0) {
    const starting = household.hives.filter((hive) => isStarting(hive) && (only === null || hive.hiveId === only));
    return starting.length > 0
      ? refused(notReported(starting), true)
      : refused(new RbeeError("hive_down", "No machine that could answer this is up."));
  }
  const fitting = candidates.filter((hive) => canUse(hive, question));
  if (fitting.length === 0) return refused(backendUnavailable(question, candidates));
  const [id] = fitting.flatMap((hive) => modelAt(hive, model)?.id ?? []);
  if (id !== undefined) {
    const anywhere = only === null && backend === undefined && device === undefined;
    const holders = fitting.filter((hive) => modelAt(hive, model)?.id === id).map(({ hiveId }) => hiveId);
    return { kind: "run", model: id, where: anywhere ? {} : { hives: new Set(holders), backend, device } };
  }
  const serving = servers(question, up).map(({ hiveId }) => hiveId);
  if (serving.length > 0)
    return { kind: "run", model: question.model, where: only === null ? {} : { hives: new Set(serving) } };
  const isNowhere = household.hives.every((hive) => modelAt(hive, model) === undefined);
  if (isNowhere && parseModelReference(model).kind === "name") return refused(modelNotFound(model, household));
  const mustBe = only !== null || backend !== undefined || device !== undefined;
  const chosen = mustBe ? fitting[0] : undefined;
  const tooSmall = chosen === undefined ? undefined : memoryLack(question, household, chosen);
  return tooSmall === undefined ? { kind: "fetch", hiveId: chosen?.hiveId ?? null } : refused(tooSmall);
}

/** Why it would be pointless to bring the model there, as far as anybody in the household knows the model. */
function memoryLack(question: Question, { hives }: TaskHousehold, { name, told }: TaskHive): RbeeError | undefined {
  const model = hives.flatMap((hive) => modelAt(hive, wanted(question)) ?? [])[0];
  if (model === undefined || told === null) return undefined;
  const { backend, device } = question;
  const devices = told.devices.filter(
    (each) => (backend === undefined || each.backend === backend) && (device === undefined || each.id === device),
  );
  const mayUseCpu = devices.some((each) => each.backend === "cpu");
  const { needMb, haveMb } = memoryOf(model, { ram_total_mb: mayUseCpu ? told.ram_total_mb : 0, devices });
  if (haveMb >= needMb) return undefined;
  return new RbeeError(
    mayUseCpu ? "insufficient_ram" : "insufficient_vram",
    `${name} has ${Math.floor(haveMb)} MB of memory in one place, ${model.id} needs about ${needMb} MB to run.`,
    {
      details: { need_mb: needMb, have_mb: Math.floor(haveMb) },
      suggestion: "Take a smaller quantization, or another machine.",
    },
  );
}

/** Why a member may not have a hive started. */
export const mayNotStart = (name: string): RbeeError =>
  new RbeeError("forbidden", `${name} is not running, and only an administrator may start it.`, {
    param: "node",
    suggestion: `An administrator can start it with \`rbee hive start ${name}\` or in the dashboard.`,
  });

/** Why a member may not have a model fetched. */
export const mayNotFetch = (model: string, place: string | null): RbeeError =>
  new RbeeError(
    "forbidden",
    `${model} is not ${place === null ? "in the household" : `on ${place}`}, and only an administrator may fetch it.`,
    {
      param: "model",
      suggestion: `An administrator can fetch it with \`rbee model pull ${model}${place === null ? "" : ` --hive ${place}`}\` or in the dashboard.`,
    },
  );
