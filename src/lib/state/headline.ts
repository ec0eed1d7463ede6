import type { FleetHive, FleetSnapshot } from "@rbee/contract";
import { percent, shareOf, speed } from "#lib/format/quantities.ts";
import { relative } from "#lib/format/times.ts";
import { words } from "#lib/words/index.ts";

/** The one sentence on top of Home. */
export interface Headline {
  tone: "good" | "busy" | "warning" | "bad";
  text: string;
  remedy?: { label: string; href: string };
}

const say = words.home.headline;
const fullMemoryPct = 95;

const lookAt = (hive: FleetHive) => ({ label: say.look(hive.name), href: machineHref(hive.hive_id) });

/** Address of a machine's page. */
export function machineHref(hiveId: string): `/machines/${string}` {
  return `/machines/${encodeURIComponent(hiveId)}`;
}

/**
 * Says how the household is: the most important problem with its remedy, or, when there is none, what is ready.
 * `now` is the queen's time in Unix ms.
 */
export function headline(fleet: FleetSnapshot, now: number): Headline {
  return problem(fleet, now) ?? wellbeing(fleet);
}

function problem({ hives, models }: FleetSnapshot, now: number): Headline | undefined {
  if (hives.length === 0)
    return { tone: "warning", text: say.noMachines, remedy: { label: say.addMachine, href: "/machines/add" } };

  const refused = hives.find((hive) => hive.problem !== null && hive.health !== "down");
  const down = hives.filter((hive) => hive.health === "down");
  const [first] = down;
  if (down.length > 1)
    return {
      tone: "bad",
      text: say.manyDown(down.length, hives.length, down.map((hive) => hive.name).join(", ")),
      remedy: { label: say.lookAtMachines, href: "/machines" },
    };
  if (first !== undefined)
    return {
      tone: "bad",
      text:
        first.last_seen_at === null
          ? say.neverSeen(first.name)
          : say.down(first.name, relative(first.last_seen_at, now)),
      remedy: lookAt(first),
    };
  if (refused?.problem)
    return { tone: "bad", text: say.problem(refused.name, refused.problem.message), remedy: lookAt(refused) };

  for (const hive of hives) {
    const failed = hive.workers.find((worker) => worker.state === "failed");
    if (failed !== undefined)
      return { tone: "bad", text: say.failedWorker(failed.model, hive.name), remedy: lookAt(hive) };
  }

  const late = hives.find((hive) => hive.health === "degraded");
  if (late !== undefined)
    return { tone: "warning", text: say.degraded(late.name, relative(late.last_seen_at, now)), remedy: lookAt(late) };

  const full = hives.find((hive) => (memoryShare(hive) ?? 0) >= fullMemoryPct);
  if (full !== undefined)
    return { tone: "warning", text: say.memory(full.name, percent(memoryShare(full))), remedy: lookAt(full) };

  const starting = hives.find((hive) => hive.health === "starting");
  if (starting !== undefined) return { tone: "busy", text: say.starting(starting.name) };

  if (models.length === 0)
    return { tone: "warning", text: say.noModels, remedy: { label: say.lookAtModels, href: "/models" } };
  return undefined;
}

const memoryShare = (hive: FleetHive) => shareOf(hive.node?.ram_used_mb, hive.node?.ram_total_mb);

function wellbeing({ hives, models, totals }: FleetSnapshot): Headline {
  const loading = models.find((model) => model.state === "loading");
  const loaded = models.filter((model) => model.state === "loaded").length;
  const machines = `${say.machines(hives.length)}, ${hives.length === 1 ? say.healthyOne : say.healthyAll}.`;
  const waiting = totals.requests_waiting > 0 ? ` ${say.waiting(totals.requests_waiting)}.` : "";
  if (loading !== undefined) {
    const progress = loading.load_progress === null ? "" : `, ${percent(loading.load_progress * 100)}`;
    return { tone: "busy", text: `${machines} ${say.loading(loading.id, progress)}${waiting}` };
  }
  const ready = loaded > 0 ? say.modelsReady(loaded) : say.modelsOnDisk(models.length);
  const activity = totals.requests_running > 0 ? say.speed(speed(totals.tokens_per_s)) : say.idle;
  return {
    tone: totals.requests_running > 0 ? "busy" : "good",
    text: `${machines} ${ready}. ${activity}.${waiting}`,
  };
}
