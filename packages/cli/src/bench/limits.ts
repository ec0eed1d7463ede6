import type { Backend } from "@rbee/contract";
import { formatBytes } from "../terminal/format.ts";
import type { Measured } from "./measure.ts";

/** What is known of the model and of where it ran; null where nobody told. */
export interface Place {
  readonly backend: Backend | null;
  readonly device: string | null;
  readonly deviceName: string | null;
  /** Threads that the machine's processor can run at once. */
  readonly threads: number | null;
  readonly modelBytes: number | null;
  /** The model's layers and its output, and how many of these were put on the GPU; null for all of them. */
  readonly layers: number | null;
  readonly gpuLayers: number | null;
}

/** One thing that was found, for people; `code` for programs. */
export interface Finding {
  readonly code: string;
  readonly message: string;
}

/** More than this much of the other programs' work is worth telling, in cores and as a share of the machine. */
const worthTelling = { cores: 0.3, share: 0.15 };
const queueWorthTellingMs = 250;

const one = (value: number) => value.toFixed(1);

/**
 * What the figures say about what limits this machine with this model. Only what was measured is told, and what it
 * points to is called so.
 */
export function findings(measured: Omit<Measured, "hive" | "hiveId" | "workerId">, place: Place): Finding[] {
  return [
    ...deviceOf(measured, place),
    ...layersOf(place),
    ...companyOf(measured, place),
    ...memoryOf(measured, place),
    ...batchingOf(measured),
    ...caveatsOf(measured),
  ];
}

type Figures = Parameters<typeof findings>[0];

function deviceOf({ load }: Figures, { backend, device, deviceName, threads }: Place): Finding[] {
  if (backend === null || device === null) return [];
  const name = deviceName === null || deviceName.toLowerCase() === device ? "" : ` (${deviceName})`;
  const { workerCores, gpuPct } = load;
  const cores =
    workerCores === null
      ? ""
      : `kept about ${one(workerCores)}${threads === null ? "" : ` of ${threads}`} processor threads busy`;
  if (backend === "cpu")
    return [
      {
        code: "device",
        message: `It computed on the processor${name}${cores === "" ? "; how much of it is unknown" : `, and ${cores}`}.`,
      },
    ];
  const busy = gpuPct === null ? "how busy it was is unknown" : `which was busy ${Math.round(gpuPct)} % of the time`;
  return [
    { code: "device", message: `It computed on ${device}${name}, ${busy}${cores === "" ? "" : `, and ${cores}`}.` },
  ];
}

function layersOf({ backend, layers, gpuLayers }: Place): Finding[] {
  if (backend === null || backend === "cpu" || gpuLayers === null) return [];
  if (layers !== null && gpuLayers >= layers) return [];
  return [
    {
      code: "partly_on_gpu",
      message: `Only ${gpuLayers} of ${layers ?? "its"} layers are on the GPU, as was set for this model; the processor computes the others, and usually sets the pace then.`,
    },
  ];
}

function memoryOf({ decode }: Figures, { modelBytes }: Place): Finding[] {
  const alone = decode.find(({ streams }) => streams === 1);
  if (alone === undefined || modelBytes === null) return [];
  const perSecond = modelBytes * alone.tokens_per_s;
  return [
    {
      code: "memory_traffic",
      message: `The model is ${formatBytes(modelBytes)}: if every token needs all of it, one answer reads ${one(perSecond / 1e9)} GB of memory a second.`,
    },
  ];
}

/** From here on more answers at once are worth it, and below the other they are not. */
const gains = { clear: 1.6, none: 1.2 };

function batchingOf({ decode, prefill }: Figures): Finding[] {
  const alone = decode.find(({ streams }) => streams === 1);
  const most = decode.at(-1);
  if (alone === undefined || most === undefined || most.streams === 1) return [];
  const gain = most.tokens_per_s / alone.tokens_per_s;
  const reading =
    prefill === null
      ? ""
      : ` A prompt is read ${one(prefill.tokens_per_s / alone.tokens_per_s)} times as fast as an answer is written.`;
  const points =
    gain >= gains.clear
      ? "so what limits one alone is what each step costs however many share it, above all reading the model from memory"
      : gain <= gains.none
        ? "so computing is the limit"
        : "so both computing and reading the model from memory limit it";
  return [
    {
      code: "batching",
      message: `${most.streams} answers at once gave ${one(gain)} times the tokens of one, ${points}.${reading}`,
    },
  ];
}

function companyOf({ load, waitedMs }: Figures, { threads }: Place): Finding[] {
  const { otherCores, load1, strangers } = load;
  const found: Finding[] = [];
  const isMuch =
    otherCores !== null &&
    otherCores >= worthTelling.cores &&
    (threads === null || otherCores >= threads * worthTelling.share);
  if (isMuch)
    found.push({
      code: "busy_machine",
      message: `Everything else on that machine kept about ${one(otherCores)}${threads === null ? "" : ` of ${threads}`} processor threads busy meanwhile, rbee's own programs included; on a quiet machine it may be faster.`,
    });
  if (load1 !== null && threads !== null && load1 > threads)
    found.push({
      code: "high_load",
      message: `The machine's load was ${one(load1)} with ${threads} processor threads when the measurement began: more was waiting to run than fits.`,
    });
  if (strangers > 0)
    found.push({
      code: "shared",
      message: `Others used the model meanwhile (up to ${strangers === 1 ? "1 request" : `${strangers} requests`} at a time), so these figures are too low.`,
    });
  if (waitedMs >= queueWorthTellingMs)
    found.push({
      code: "queued",
      message: `A request waited ${Math.round(waitedMs)} ms inside the worker before its prompt was begun; the time to the first token holds that.`,
    });
  return found;
}

function caveatsOf({ beyondSlots, guessed, cutShort, others, decode, prefill }: Figures): Finding[] {
  const found: Finding[] = [];
  const [streams] = beyondSlots;
  if (streams !== undefined)
    found.push({
      code: "slots",
      message: `It has fewer than ${streams} slots, so more answers at once were not measured. \`rbee model set\` changes that.`,
    });
  if (guessed > 0)
    found.push({
      code: "guessed",
      message: `${guessed === 1 ? "1 token was" : `${guessed} tokens were`} guessed from the text before instead of computed alone; other texts may be slower.`,
    });
  if (others)
    found.push({
      code: "several_workers",
      message: "More than one worker of the model answered; the machine shares itself among them.",
    });
  if (cutShort)
    found.push({ code: "cut_short", message: "Time was up before everything was measured; this is what there is." });
  if (prefill === null || decode.length === 0)
    found.push({
      code: "unknown",
      message: `${prefill === null ? "How fast prompts are read" : "How fast answers are written"} is unknown: ${prefill === null ? "nothing usable was measured" : "the answers were too short to tell"}.`,
    });
  return found;
}
