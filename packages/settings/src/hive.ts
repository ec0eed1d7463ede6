import * as z from "zod";
import {
  cacheHome,
  dataHome,
  flag,
  logLevel,
  optionalText,
  optionalUrl,
  path,
  port,
  seconds,
  setting,
  text,
} from "./define.ts";
import { externalServersText } from "./external-servers.ts";
import { hubSettings } from "./hub.ts";

const count = z.coerce.number("must be a whole number").int().min(1, "must be at least 1");

/** Every setting of a hive. */
export const hiveSettings = {
  port: setting({
    env: "RBEE_HIVE_PORT",
    toml: "hive.port",
    schema: port,
    fallback: () => 7835,
    description: "Port the hive listens on; 0 takes any free one.",
  }),
  host: setting({
    env: "RBEE_HIVE_HOST",
    toml: "hive.host",
    schema: text,
    fallback: () => "0.0.0.0",
    description: "Address the hive listens on.",
  }),
  home: setting({
    env: "RBEE_HIVE_HOME",
    toml: "hive.home",
    schema: path,
    fallback: (env) => `${env["RBEE_HOME"] ?? dataHome(env)}/hive`,
    description: "Folder of hive.json, models, logs and worker sockets.",
  }),
  name: setting({
    env: "RBEE_HIVE_NAME",
    toml: "hive.name",
    schema: optionalText,
    fallback: () => undefined,
    description: "Name of this machine in the dashboard; the host name when unset.",
  }),
  queenUrl: setting({
    env: "RBEE_QUEEN_URL",
    toml: "hive.queen_url",
    schema: optionalUrl,
    fallback: () => undefined,
    description: "The queen to report to, for example http://192.168.1.10:7833.",
  }),
  joinToken: setting({
    env: "RBEE_JOIN_TOKEN",
    toml: "hive.join_token",
    schema: optionalText,
    fallback: () => undefined,
    secret: true,
    description: "One-time token from `rbee hive token create` that lets this machine join.",
  }),
  modelPaths: setting({
    env: "RBEE_MODEL_PATHS",
    toml: "hive.model_paths",
    schema: z
      .union([z.array(path), text.transform((value) => value.split(":").filter((part) => part !== ""))])
      .optional(),
    fallback: () => undefined,
    description: "More folders with models, separated by colons; each model is a folder with a GGUF file.",
  }),
  ...hubSettings,
  downloadStallS: setting({
    env: "RBEE_DOWNLOAD_STALL",
    toml: "models.download_stall_s",
    schema: seconds.refine((value) => value > 0, "must be more than 0"),
    fallback: () => 60,
    description: "Seconds without a byte after which a download is tried again.",
  }),
  diskMarginMb: setting({
    env: "RBEE_DISK_MARGIN",
    toml: "models.disk_margin_mb",
    schema: z.coerce.number("must be a number of MB").min(0),
    fallback: () => 512,
    description: "MB of disk space that a download leaves free.",
  }),
  announce: setting({
    env: "RBEE_MDNS",
    toml: "network.mdns",
    schema: flag,
    fallback: () => true,
    description: "Whether this hive announces itself on the local network (mDNS).",
  }),
  workerThreads: setting({
    env: "RBEE_WORKER_THREADS",
    toml: "worker.threads",
    schema: count.optional(),
    fallback: () => undefined,
    description: "Compute threads of a CPU worker; chosen from the physical cores when unset.",
  }),
  workerSlots: setting({
    env: "RBEE_WORKER_SLOTS",
    toml: "worker.slots",
    schema: count,
    fallback: () => 4,
    description: "Requests that one worker answers at the same time.",
  }),
  speculation: setting({
    env: "RBEE_SPECULATION",
    toml: "worker.speculation",
    schema: z.enum(["auto", "always", "off"], "must be auto, always or off"),
    fallback: () => "auto" as const,
    description:
      "Whether workers guess what a text repeats, so that several tokens come of one step: where it was measured to pay (auto), wherever there is a guess (always), or never (off).",
  }),
  idleStopS: setting({
    env: "RBEE_WORKER_IDLE_STOP",
    toml: "worker.idle_stop_s",
    schema: z.coerce.number("must be a whole number").int().min(-1, "must be -1 (never) or more"),
    fallback: () => 300,
    description: "Seconds without work after which a worker is stopped and gives its memory back; -1 never.",
  }),
  memoryLimitMb: setting({
    env: "RBEE_MEMORY_LIMIT_MB",
    toml: "worker.memory_limit_mb",
    schema: count.optional(),
    fallback: () => undefined,
    description: "MB of main memory that the workers of this machine may take in all; all that is free when unset.",
  }),
  parkedMb: setting({
    env: "RBEE_PARKED_MB",
    toml: "worker.parked_mb",
    schema: z.coerce.number("must be a number of MB").min(0, "must be 0 (off) or more"),
    fallback: () => 2048,
    description: "MB of disk for conversations of stopped workers, encrypted for their users; 0 keeps none.",
  }),
  loadTimeoutS: setting({
    env: "RBEE_LOAD_TIMEOUT",
    toml: "worker.load_timeout_s",
    schema: seconds,
    fallback: () => 300,
    description: "Seconds a model may take to load.",
  }),
  externalServers: setting({
    env: "RBEE_EXTERNAL_SERVERS",
    toml: "hive.external_servers",
    schema: externalServersText,
    fallback: () => "auto",
    description:
      "Servers that rbee did not start and whose models it offers: auto looks for Ollama, vLLM, LM Studio and llama-server on this machine, off for none, or URLs with commas such as workshop=http://127.0.0.1:9999.",
  }),
  llamaServer: setting({
    env: "RBEE_LLAMA_SERVER",
    toml: "engines.llama_server",
    schema: path.optional(),
    fallback: () => undefined,
    description: "llama.cpp's server program; what `npm run llama:build` built, else the one on PATH, when unset.",
  }),
  llamaFolder: setting({
    env: "RBEE_LLAMA_FOLDER",
    toml: "engines.llama_folder",
    schema: path,
    fallback: (env) => `${cacheHome(env)}/llama.cpp`,
    description: "Folder of the llama.cpp programs that `npm run llama:build` builds.",
  }),
  logLevel: setting({
    env: "RBEE_LOG_LEVEL",
    toml: "log.level",
    schema: logLevel,
    fallback: () => "info" as const,
    description: "How much is logged.",
  }),
};
