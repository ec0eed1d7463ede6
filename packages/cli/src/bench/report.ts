import type { Backend } from "@rbee/contract";
import { table } from "../terminal/table.ts";
import type { Finding } from "./limits.ts";
import type { Decode, Prefill } from "./measure.ts";

/** What `rbee bench --json` answers. What could not be measured is null. */
export interface BenchReport {
  readonly model: string;
  readonly hive: string;
  readonly hive_id: string;
  readonly worker_id: string;
  readonly backend: Backend | null;
  readonly device: string | null;
  readonly device_name: string | null;
  /** Tokens of context per slot. */
  readonly context_length: number | null;
  readonly slots: number | null;
  readonly model_bytes: number | null;
  readonly prefill: Prefill | null;
  readonly decode: readonly Decode[];
  /** False when time was up before everything was measured. */
  readonly complete: boolean;
  readonly machine: {
    readonly threads: number | null;
    /** Processor cores that the model's worker, and everything else, kept busy. */
    readonly worker_cores: number | null;
    readonly other_cores: number | null;
    readonly load1: number | null;
    readonly gpu_pct: number | null;
  };
  readonly findings: readonly Finding[];
}

interface Row {
  readonly what: string;
  readonly together: number | null;
  readonly each: number | null;
  readonly ttft: number | null;
  readonly rounds: number;
}

const speed = (value: number | null) => (value === null ? "unknown" : value.toFixed(value < 10 ? 2 : 1));
const milliseconds = (value: number | null) =>
  value === null ? "unknown" : value < 1_000 ? `${Math.round(value)} ms` : `${(value / 1_000).toFixed(2)} s`;

/** The figures in a table, then what they say, a line for each thing. */
export function benchText({ model, hive, device, device_name, slots, context_length, ...rest }: BenchReport): string {
  const { prefill, decode, findings } = rest;
  const rows: Row[] = [
    {
      what: prefill === null ? "read a prompt" : `read a prompt of ${Math.round(prefill.prompt_tokens)} tokens`,
      together: prefill?.tokens_per_s ?? null,
      each: null,
      ttft: prefill?.ttft_ms ?? null,
      rounds: prefill?.rounds ?? 0,
    },
    ...decode.map(({ streams, tokens_per_s, each_tokens_per_s, ttft_ms, rounds }) => ({
      what: streams === 1 ? "write one answer" : `write ${streams} answers at once`,
      together: tokens_per_s,
      each: each_tokens_per_s,
      ttft: ttft_ms,
      rounds,
    })),
  ];
  const on = device === null ? "" : `, ${device}${device_name === null ? "" : ` (${device_name})`}`;
  const shape = [
    ...(slots === null ? [] : [slots === 1 ? "1 slot" : `${slots} slots`]),
    ...(context_length === null ? [] : [`${context_length} tokens of context each`]),
  ].join(" of ");
  return [
    `${model} on ${hive}${on}${shape === "" ? "" : `; ${shape}`}`,
    "",
    table(rows, [
      { title: "", cell: ({ what }) => what },
      { title: "TOKENS/S", cell: ({ together }) => speed(together), align: "right" },
      { title: "EACH", cell: ({ each }) => (each === null ? "" : speed(each)), align: "right" },
      { title: "FIRST TOKEN", cell: ({ ttft }) => milliseconds(ttft), align: "right" },
      { title: "ROUNDS", cell: ({ rounds }) => String(rounds), align: "right" },
    ]),
    "",
    ...findings.map(({ message }) => `- ${message}`),
  ].join("\n");
}
