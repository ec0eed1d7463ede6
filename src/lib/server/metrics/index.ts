import { healthSchema } from "@rbee/contract";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { HiveState } from "#lib/server/hives/index.ts";
import type { UsageEntry } from "#lib/server/usage/index.ts";

/** What the queen counts and measures, for Prometheus. */
export interface Metrics {
  /** A request is over. */
  observe(entry: UsageEntry): void;
  /** Everything in Prometheus' text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** Names are llama.cpp's and vLLM's where they mean the same, so that their dashboards work; the rest is `rbee_…`. */
export function createMetrics(sources: {
  version: string;
  hives: () => readonly HiveState[];
  requests: () => { running: number; waiting: number };
}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  const histogram = (name: string, help: string) =>
    new Histogram({ name, help, labelNames: ["model_name"], buckets: secondsBuckets, registers });
  const workers = () =>
    sources.hives().flatMap((hive) => (hive.health === "down" ? [] : (hive.heartbeat?.workers ?? [])));

  const promptTokens = counter("llamacpp:prompt_tokens_total", "Prompt tokens processed.");
  const predictedTokens = counter("llamacpp:tokens_predicted_total", "Tokens generated.");
  const promptByModel = counter("vllm:prompt_tokens_total", "Prompt tokens processed.", ["model_name"]);
  const generatedByModel = counter("vllm:generation_tokens_total", "Tokens generated.", ["model_name"]);
  const cachedTokens = counter("rbee_cached_prompt_tokens_total", "Prompt tokens taken from a cache.", ["model_name"]);
  const requests = counter("rbee_requests_total", "Requests that are over.", ["model_name", "status"]);
  const firstToken = histogram("vllm:time_to_first_token_seconds", "Time to the first token of streamed answers.");
  const latency = histogram("vllm:e2e_request_latency_seconds", "Time from a request to the end of its answer.");

  gauge("llamacpp:requests_processing", "Requests at a worker.", () => sources.requests().running);
  gauge("llamacpp:requests_deferred", "Requests that wait for a worker.", () => sources.requests().waiting);
  gauge("vllm:num_requests_running", "Requests at a worker.", () => sources.requests().running);
  gauge("vllm:num_requests_waiting", "Requests that wait for a worker.", () => sources.requests().waiting);
  gauge("llamacpp:predicted_tokens_seconds", "Tokens generated per second now, by all workers.", () =>
    workers().reduce((sum, worker) => sum + (worker.tokens_per_s ?? 0), 0),
  );
  gauge("process_resident_memory_bytes", "Memory of the queen's process.", () => process.memoryUsage.rss());
  new Gauge({
    name: "rbee_hives",
    help: "Hives by health.",
    labelNames: ["health"],
    registers,
    collect() {
      for (const health of healthSchema.options)
        this.set({ health }, sources.hives().filter((hive) => hive.health === health).length);
    },
  });
  new Gauge({
    name: "rbee_workers",
    help: "Workers by model and state.",
    labelNames: ["model_name", "state"],
    registers,
    collect() {
      this.reset();
      for (const worker of workers()) this.inc({ model_name: worker.model, state: worker.state });
    },
  });
  new Gauge({ name: "rbee_info", help: "The queen's version.", labelNames: ["version"], registers }).set(
    { version: sources.version },
    1,
  );

  return {
    observe(entry) {
      // A name that no hive has comes from outside: as a label it would let a stranger's typing grow the memory.
      const model_name = entry.error_code === "model_not_found" ? "unknown" : entry.model;
      promptTokens.inc(entry.prompt_tokens ?? 0);
      predictedTokens.inc(entry.completion_tokens ?? 0);
      promptByModel.inc({ model_name }, entry.prompt_tokens ?? 0);
      generatedByModel.inc({ model_name }, entry.completion_tokens ?? 0);
      cachedTokens.inc({ model_name }, entry.cached_tokens ?? 0);
      requests.inc({ model_name, status: String(entry.status) });
      if (entry.time_to_first_token_ms !== null)
        firstToken.observe({ model_name }, entry.time_to_first_token_ms / 1000);
      if (entry.status === 200) latency.observe({ model_name }, entry.duration_ms / 1000);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
