import type { JobEvent, NarrationEvent, ProgressEvent } from "@rbee/contract";
import { formatElapsed } from "../terminal/format.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { progressBar, progressText } from "./progress.ts";

/** A line about progress where lines cannot change, at most this often. */
const progressLineEveryMs = 5_000;
const redrawEveryMs = 100;
/** How many lines of a failed command are shown. */
const lastLinesShown = 10;
const nameWidth = 15;
const timeWidth = 8;
const spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

/** Tells people on stderr how a job goes. */
export interface Narrator {
  show(event: JobEvent): void;
  /** Nothing more comes for now: what was moving is taken away. */
  rest(): void;
}

interface NarratorOptions {
  readonly terminal: Terminal;
  /** Whether what is meant for engineers, such as the raw output of commands, is told too. */
  readonly verbose: boolean;
  /** Milliseconds; default: the process's own clock. */
  readonly now?: () => number;
}

type StepState = "started" | "finished" | "failed" | "cancelled" | "timed_out";
const stepStates: ReadonlySet<unknown> = new Set(["started", "finished", "failed", "cancelled", "timed_out"]);

interface RunningStep {
  readonly key: string;
  readonly actor: string;
  readonly name: string;
  readonly message: string;
  readonly startedAt: number;
  /** Whether other steps are part of it, which then tell the story. */
  hasSteps: boolean;
  /** Told when it is over, beneath its line, where lines can change. */
  readonly details: string[];
  /** The last lines of raw output. */
  readonly raw: string[];
  progress: ProgressEvent | undefined;
}

/** The step that an event is about, as far as it says. */
function pathOf({ data }: NarrationEvent): string[] {
  const path: unknown = data?.["step_path"];
  return Array.isArray(path) ? path.map(String) : [];
}

/** How a step goes, when that is what the event tells: a step that ended otherwise than well gives its time alone. */
function stateOf({ action, data }: NarrationEvent): StepState | undefined {
  const state: unknown = data?.["state"];
  const isStep = data?.["step"] === action || typeof data?.["duration_ms"] === "number";
  return isStep && stepStates.has(state) ? (state as StepState) : undefined;
}

/** The last lines that a failed command wrote, if the error carries them. */
function lastLinesOf({ data }: NarrationEvent): string[] {
  const error = data?.["error"] as { details?: { last_lines?: unknown } } | undefined;
  const lines = error?.details?.last_lines;
  return Array.isArray(lines) ? lines.map(String) : [];
}

const keyOf = (actor: string, path: readonly string[]) => [actor, ...path].join("\n");
/** `hive:attic` speaks as `attic`. */
const nameOfActor = (actor: string) => actor.replace(/^hive:/u, "");

/** A narrator over a terminal: steps that change in place where that is possible, else a calm line for each thing. */
export function createNarrator({ terminal, verbose, now = () => performance.now() }: NarratorOptions): Narrator {
  const { errorColours: colour, lively } = terminal;
  const steps = new Map<string, RunningStep>();
  /** Progress of phases that are no step. */
  const loose = new Map<string, ProgressEvent>();
  const toldProgressAt = new Map<string, number>();
  let actorWidth = 8;
  let timer: NodeJS.Timeout | undefined;

  const who = (actor: string) => {
    const name = nameOfActor(actor);
    actorWidth = Math.min(20, Math.max(actorWidth, [...name].length));
    return colour.dim(name.padEnd(actorWidth));
  };
  const plain = (actor: string, text: string) => {
    terminal.error(`${who(actor)} ${text}`);
  };
  const columns = (mark: string, name: string, time: string) =>
    `${mark} ${name.padEnd(nameWidth)} ${time.padStart(timeWidth)}`;
  const indent = () => " ".repeat(actorWidth + 1 + 2 + nameWidth + 1 + timeWidth + 2);

  /** A line that fits into one line of the terminal: `text` gets so much room. */
  const liveLine = (actor: string, name: string, time: string, text: (room: number) => string) => {
    const mark = spinner[Math.floor(now() / redrawEveryMs) % spinner.length] ?? "";
    const head = columns("", name, time);
    const room = Math.max(0, terminal.columns - 1 - actorWidth - 2 - [...head].length - 2);
    const characters = [...text(room)];
    const cut = characters.length <= room ? characters : [...characters.slice(0, Math.max(0, room - 1)), "…"];
    return `${who(actor)} ${colour.cyan(mark)}${head}  ${cut.join("")}`;
  };

  const draw = () => {
    const keys = [...steps.keys()];
    const leaves = [...steps.values()].filter(({ key }) => !keys.some((other) => other.startsWith(`${key}\n`)));
    terminal.live([
      ...leaves.map(({ actor, name, message, startedAt, details, progress }) =>
        liveLine(actor, name, formatElapsed(now() - startedAt), (room) =>
          progress === undefined ? [message, ...details.slice(-1)].join(" · ") : progressBar(progress, room),
        ),
      ),
      ...[...loose.values()].map((event) => liveLine(event.actor, event.phase, "", (room) => progressBar(event, room))),
    ]);
  };
  const rest = () => {
    clearInterval(timer);
    timer = undefined;
    terminal.live([]);
  };
  const refresh = () => {
    if (!lively) return;
    if (steps.size === 0 && loose.size === 0) {
      rest();
      return;
    }
    timer ??= setInterval(draw, redrawEveryMs).unref();
    draw();
  };

  const begin = (event: NarrationEvent, key: string) => {
    const { actor, action: name, message } = event;
    for (const step of steps.values()) if (key.startsWith(`${step.key}\n`)) step.hasSteps = true;
    steps.set(key, {
      ...{ key, actor, name, message, startedAt: now(), hasSteps: false },
      ...{ details: [], raw: [], progress: undefined },
    });
    if (!lively) plain(actor, `${columns("▸", name, "")}  ${message}`);
  };

  const end = (event: NarrationEvent, key: string, state: Exclude<StepState, "started">) => {
    const { actor, action: name, data } = event;
    const step = steps.get(key);
    steps.delete(key);
    const took: unknown = data?.["duration_ms"];
    const time = typeof took === "number" ? formatElapsed(took) : "";
    if (state === "finished") {
      const text = lively ? (step?.message ?? "") : "";
      plain(actor, `${colour.green("✓")}${columns("", name, time)}  ${text === name ? "" : text}`.trimEnd());
    } else if (state === "cancelled") plain(actor, colour.yellow(`${columns("■", name, time)}  cancelled`));
    else plain(actor, colour.red(`${columns("✗", name, time)}  ${state === "failed" ? "failed" : "ran out of time"}`));
    for (const detail of step?.details ?? []) terminal.error(`${indent()}${colour.dim(detail)}`);
    if (state === "finished" || state === "cancelled") return;
    const told = lastLinesOf(event);
    const lines = told.length > 0 ? told : verbose ? [] : (step?.raw ?? []);
    for (const line of lines.slice(-lastLinesShown)) terminal.error(`${indent()}${colour.dim("│")} ${line}`);
  };

  const tell = (event: NarrationEvent) => {
    const { actor, level, message } = event;
    const step = steps.get(keyOf(actor, pathOf(event)));
    if (level === "debug") {
      if (event.action === "timeout_start") return;
      step?.raw.push(...message.split("\n"));
      step?.raw.splice(0, Math.max(0, step.raw.length - lastLinesShown));
      if (verbose) plain(actor, colour.dim(message));
    } else if (level === "info" && lively && step?.hasSteps === false) step.details.push(message);
    else {
      const paint = level === "error" ? colour.red : level === "warn" ? colour.yellow : (text: string) => text;
      plain(actor, paint(message));
    }
  };

  /** The key of the step that ended: the newest of its name, where the event leaves its path out. */
  const keyOfEnding = (event: NarrationEvent): string => {
    const path = pathOf(event);
    const { actor, action } = event;
    const own = [...steps.values()].filter((step) => step.actor === actor && step.name === action);
    return path.at(-1) === action ? keyOf(actor, path) : (own.at(-1)?.key ?? keyOf(actor, [action]));
  };

  const narration = (event: NarrationEvent) => {
    const state = stateOf(event);
    if (state === undefined) {
      tell(event);
      return;
    }
    const key = keyOf(event.actor, pathOf(event));
    if (state === "started") begin(event, key);
    else end(event, keyOfEnding(event), state);
    // What had progress inside the step is over with it.
    if (state !== "started") for (const [phase, { actor }] of loose) if (actor === event.actor) loose.delete(phase);
  };

  const progress = (event: ProgressEvent) => {
    const { actor, phase } = event;
    const key = `${actor}\n${phase}`;
    const own = [...steps.values()].filter((step) => step.actor === actor && !step.hasSteps);
    const step = own.find(({ name }) => name === phase) ?? (own.length === 1 ? own[0] : undefined);
    if (step !== undefined) step.progress = event;
    else if (event.total !== null && event.done >= event.total) loose.delete(key);
    else loose.set(key, event);
    if (lively) return;
    const at = now();
    const toldAt = toldProgressAt.get(key) ?? at;
    if (toldAt !== at && at - toldAt < progressLineEveryMs) return;
    toldProgressAt.set(key, at);
    if (toldAt !== at) plain(actor, `${phase}: ${progressText(event)}`);
  };

  return {
    show(event) {
      if (event.type === "narration") narration(event);
      else if (event.type === "progress") progress(event);
      else {
        steps.clear();
        loose.clear();
      }
      refresh();
    },
    rest,
  };
}
