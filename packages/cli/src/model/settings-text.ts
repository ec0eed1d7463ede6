import type { ModelSettings } from "@rbee/contract";

const span = (seconds: number): string =>
  seconds === -1 ? "never" : seconds % 60 === 0 && seconds > 0 ? `after ${seconds / 60} min` : `after ${seconds} s`;

/** What the household decided about a model, a line for each thing, and then what is worth knowing. */
export function settingsText(settings: ModelSettings, nameOf: (hiveId: string) => string = (id) => id): string {
  const { context_length, trained_context_length, slots, gpu_layers, idle_stop_s, preload, pinned, aliases } = settings;
  const { flash_attention: flash, kv_type: kv } = settings;
  const trained = trained_context_length === null ? "" : ` (trained for ${trained_context_length})`;
  const rows: (readonly [string, string])[] = [
    ["model", settings.model],
    ["other names", aliases.length === 0 ? "none" : aliases.join(", ")],
    ["context", `${context_length === null ? "auto: as much as fits" : `${context_length} tokens`}${trained}`],
    ["slots", slots === null ? "as the hive chooses" : String(slots)],
    ["GPU layers", gpu_layers === null ? "auto: all of them" : String(gpu_layers)],
    ["flash attention", flash === null ? "auto: as the engine chooses" : flash ? "on" : "off"],
    ["attention cache", kv ?? "auto: f16"],
    ["engine", settings.engine ?? "auto: node-llama-cpp"],
    [
      "stops when idle",
      pinned ? "never: it is pinned" : idle_stop_s === null ? "as the hive chooses" : span(idle_stop_s),
    ],
    ["at the start", preload ? "loaded" : "loaded when somebody asks"],
    ["pinned", pinned ? "yes" : "no"],
  ];
  if (settings.across.length > 0) rows.push(["spread over", settings.across.map(nameOf).join(", ")]);
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
  return [...lines, ...settings.notes.map((note) => `! ${note}`)].join("\n");
}
