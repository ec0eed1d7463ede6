import type { FleetHive } from "@rbee/contract";
import { formatMoment, formatPercent, orDash } from "../terminal/format.ts";
import { table } from "../terminal/table.ts";

const shapes = { healthy: "●", degraded: "◐", down: "○", starting: "◌" } as const;

/** Hives as a table; figures of a hive that is not healthy are left out, since they are not of now. */
export function hiveTable(hives: readonly FleetHive[], now: number): string {
  if (hives.length === 0) return "";
  const live = (hive: FleetHive) => (hive.health === "healthy" ? hive.node : null);
  const ramPercent = (hive: FleetHive) => {
    const { ram_used_mb: used, ram_total_mb: total } = live(hive) ?? { ram_used_mb: null, ram_total_mb: null };
    return used === null || total === null || total === 0 ? null : (100 * used) / total;
  };
  return table(hives, [
    { title: "HIVE", cell: ({ name }) => name },
    { title: "HEALTH", cell: ({ health }) => `${shapes[health]} ${health}` },
    { title: "SEEN", cell: ({ last_seen_at }) => formatMoment(last_seen_at, now) },
    { title: "CPU", cell: (hive) => formatPercent(live(hive)?.cpu_pct), align: "right" },
    { title: "RAM", cell: (hive) => formatPercent(ramPercent(hive)), align: "right" },
    { title: "WORKERS", cell: ({ workers }) => String(workers.length), align: "right" },
    { title: "ADDRESS", cell: ({ address }) => orDash(address) },
    { title: "ID", cell: ({ hive_id }) => hive_id },
  ]);
}
