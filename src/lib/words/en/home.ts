import type { Health } from "@rbee/contract";

const numberWords = [
  "No",
  "One",
  "Two",
  "Three",
  "Four",
  "Five",
  "Six",
  "Seven",
  "Eight",
  "Nine",
  "Ten",
  "Eleven",
  "Twelve",
];
const counted = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`;
const spelled = (count: number, one: string, many: string) =>
  `${numberWords[count] ?? String(count)} ${count === 1 ? one : many}`;

/** The administrator's first page. */
export const home = {
  title: "Home",
  health: { starting: "starting", healthy: "healthy", degraded: "degraded", down: "down" } satisfies Record<
    Health,
    string
  >,
  headline: {
    noMachines: "No machine has joined yet.",
    addMachine: "Add a machine",
    down: (name: string, ago: string) => `${name} stopped answering ${ago}.`,
    neverSeen: (name: string) => `${name} has not answered yet.`,
    manyDown: (count: number, total: number, names: string) =>
      `${count} of ${total} machines stopped answering: ${names}.`,
    problem: (name: string, message: string) => `${name}: ${message}`,
    failedWorker: (model: string, name: string) => `${model} failed on ${name}.`,
    degraded: (name: string, ago: string) => `${name} answers late; last heard ${ago}.`,
    memory: (name: string, used: string) => `${name} is almost out of memory (${used} used).`,
    noModels: "No machine has a model yet.",
    starting: (name: string) => `${name} is starting.`,
    loading: (model: string, progress: string) => `Loading ${model}${progress}.`,
    look: (name: string) => `Look at ${name}`,
    lookAtMachines: "Look at the machines",
    lookAtModels: "Where models go",
    machines: (count: number) => counted(count, "machine", "machines"),
    healthyOne: "healthy",
    healthyAll: "all healthy",
    modelsReady: (count: number) => spelled(count, "model ready", "models ready"),
    modelsOnDisk: (count: number) =>
      count === 1 ? "One model, loads when asked" : `${spelled(count, "model", "models")}, load when asked`,
    idle: "Nothing running",
    speed: (tokens: string) => `${tokens} tokens/s`,
    waiting: (count: number) => `${count} waiting`,
  },
  queue: {
    label: "Now",
    running: "running",
    waiting: "waiting",
    speed: "tokens/s",
    ready: "models ready",
  },
  machines: "Machines",
  meters: { cpu: "CPU", ram: "RAM", gpu: "GPU", vram: "VRAM" },
  meterSpoken: (name: string, value: string) => `${name}: ${value}`,
  sparkSpoken: (name: string) => `${name} over the last minute`,
  hexagonSpoken: (load: string, health: string) => `Load ${load}, ${health}`,
  notSeen: "not seen yet",
  noWorkers: "No model loaded. One loads as soon as somebody asks.",
  workers: {
    label: "Workers",
    states: {
      starting: "starting",
      loading: "loading",
      ready: "ready",
      busy: "busy",
      draining: "stopping",
      stopped: "stopped",
      failed: "failed",
    },
    slots: (busy: number, total: number) => `${busy} of ${total} slots busy`,
    speed: (tokens: string) => `${tokens} tok/s`,
    stop: "Stop",
    stopLabel: (model: string, machine: string) => `Stop ${model} on ${machine}`,
    stopTitle: (model: string) => `Stop ${model}?`,
    stopText: (machine: string) =>
      `${machine} finishes the answers that are being written, then frees the memory. The next request loads it again.`,
    stopped: (model: string) => `${model} is stopping.`,
  },
  steps: {
    title: "Three steps to start",
    intro: "Each takes about a minute. The order does not matter.",
    hide: "Hide these steps",
    done: "done",
    chat: {
      title: "Chat now",
      text: (model: string) => `${model} is on this machine and answers without the internet.`,
      textNoModel: "Put a model into the models folder, then ask it something.",
      action: "Open the chat",
    },
    machine: {
      title: "Add a machine",
      text: "Every computer at home can help. One command on it is enough.",
      action: "Get the command",
    },
    app: {
      title: "Connect an app",
      text: "Whatever speaks the OpenAI API can use this household.",
      action: "Create a key",
    },
  },
  use: {
    title: "Today",
    more: "All requests",
    person: "Person",
    requests: "Requests",
    read: "Tokens in",
    written: "Tokens out",
    failed: "Failed",
    empty: "Nobody has asked anything today.",
    emptyAction: "Ask the first question",
  },
  noMachine: {
    title: "No machine yet",
    text: "A machine runs the models. Run one command on it, and it appears here within seconds.",
  },
  transition: {
    down: (name: string) => `${name} stopped answering.`,
    degraded: (name: string) => `${name} answers late.`,
    back: (name: string) => `${name} is back.`,
  },
};
