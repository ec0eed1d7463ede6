import type { FleetHive, FleetModel, FleetSnapshot, WorkerTelemetry } from "@rbee/contract";

/** Queen's time in the examples. */
export const exampleNow = 1_700_000_000_000;

export const exampleHive = (change: Partial<FleetHive> = {}): FleetHive => ({
  hive_id: "hive:00000000-0000-4000-8000-000000000001",
  name: "desk",
  enrolment: "local",
  address: null,
  health: "healthy",
  last_seen_at: exampleNow - 400,
  version: "0.1.0",
  capabilities: null,
  node: { cpu_pct: 12, ram_used_mb: 4_096, ram_total_mb: 16_384, load1: 0.4, gpus: [] },
  workers: [],
  problem: null,
  ...change,
});

export const exampleWorker = (change: Partial<WorkerTelemetry> = {}): WorkerTelemetry => ({
  worker_id: "worker:1",
  model: "bee-tiny",
  engine: "node-llama-cpp",
  backend: "cpu",
  device: "cpu",
  state: "ready",
  pid: 1,
  cpu_pct: 0,
  rss_mb: 60,
  vram_mb: null,
  uptime_s: 10,
  load_progress: null,
  slots_total: 4,
  slots_busy: 0,
  context_length: 4096,
  tokens_per_s: 0,
  idle_s: null,
  stops_in_s: null,
  queued: 0,
  restarts: 0,
  error: null,
  ...change,
});

export const exampleModel = (change: Partial<FleetModel> = {}): FleetModel => ({
  id: "bee-tiny",
  name: "bee-tiny",
  state: "unloaded",
  load_progress: null,
  hives: ["hive:00000000-0000-4000-8000-000000000001"],
  size_bytes: 3_879_808,
  parameters: 3_607_296,
  quantization: "Q8_0",
  context_length: 1_024,
  has_chat_template: true,
  aliases: [],
  pinned: false,
  ...change,
});

export const exampleFleet = (change: Partial<FleetSnapshot> = {}): FleetSnapshot => ({
  ts: exampleNow,
  queen: { version: "0.1.0", started_at: exampleNow - 60_000, household: "Home" },
  hives: [exampleHive()],
  models: [exampleModel()],
  totals: { tokens_per_s: 0, requests_running: 0, requests_waiting: 0, jobs_running: 0 },
  ...change,
});
