import type { FleetHistory, FleetHive, FleetModel, FleetSnapshot, HealthTransition } from "@rbee/contract";
import { createContext, onMount } from "svelte";
import type { Clock } from "./clock.svelte.ts";
import { FleetConnection, type ConnectionStatus, type StreamHandlers } from "./fleet-connection.ts";
import { fromHistory, withSnapshot, type Samples } from "./fleet-samples.ts";

/** The household as the queen sees it, live: one event stream shared by every page. */
export class Fleet {
  snapshot = $state.raw<FleetSnapshot>() as FleetSnapshot;
  samples = $state.raw<Samples>({});
  status = $state<ConnectionStatus>("connecting");
  lastTransition = $state.raw<HealthTransition | null>(null);
  /** True when the figures on the page are old: show them grey. */
  readonly stale = $derived(this.status === "reconnecting");

  readonly hives: readonly FleetHive[] = $derived(this.snapshot.hives);
  readonly models: readonly FleetModel[] = $derived(this.snapshot.models);

  constructor(snapshot: FleetSnapshot, history: FleetHistory) {
    this.snapshot = snapshot;
    this.samples = withSnapshot(fromHistory(history), snapshot);
  }

  /** Takes a snapshot that came with a page, unless the stream has brought a newer one. */
  seed(snapshot: FleetSnapshot): void {
    if (snapshot.ts > this.snapshot.ts) this.#take(snapshot);
  }

  /** Takes one event of the stream; what cannot be read is dropped, the next second brings another. */
  receive(name: string, data: string): void {
    let value: unknown;
    try {
      value = JSON.parse(data);
    } catch {
      return;
    }
    if (name === "fleet") this.#take(value as FleetSnapshot);
    else if (name === "history") this.samples = withSnapshot(fromHistory(value as FleetHistory), this.snapshot);
    else if (name === "transition") this.lastTransition = value as HealthTransition;
  }

  hive(id: string): FleetHive | undefined {
    return this.hives.find((hive) => hive.hive_id === id);
  }

  /** The one machine that can have answered for a model; null when it may have been another. */
  onlyHostOf(modelId: string): FleetHive | null {
    const hosts = this.hives.filter((hive) => hive.workers.some((worker) => worker.model === modelId));
    return hosts.length === 1 ? (hosts[0] ?? null) : null;
  }

  model(id: string): FleetModel | undefined {
    return this.models.find((model) => model.id === id);
  }

  #take(snapshot: FleetSnapshot): void {
    this.snapshot = snapshot;
    this.samples = withSnapshot(this.samples, snapshot);
  }
}

export const [getFleet, provideFleet] = createContext<Fleet>();

const events = ["history", "fleet", "transition"];

function openStream(handlers: StreamHandlers): { close(): void } {
  const source = new EventSource("/v1/fleet/stream");
  for (const name of events)
    source.addEventListener(name, (event: MessageEvent<string>) => {
      handlers.event(name, event.data);
    });
  source.addEventListener("error", handlers.failed);
  return source;
}

async function probe(): Promise<"reachable" | "signed_out" | "unreachable"> {
  try {
    const response = await fetch("/v1/me", { signal: AbortSignal.timeout(5_000) });
    return response.status === 401 ? "signed_out" : response.ok ? "reachable" : "unreachable";
  } catch {
    return "unreachable";
  }
}

/** Makes the fleet of a page tree and keeps it live while the tree is mounted. */
export function startFleet(
  initial: { snapshot: FleetSnapshot; history: FleetHistory },
  clock: Clock,
  onSignedOut: () => void,
): Fleet {
  const fleet = provideFleet(new Fleet(initial.snapshot, initial.history));
  onMount(() => {
    const connection = new FleetConnection({
      open: openStream,
      probe,
      now: () => Date.now(),
      after: (ms, run) => {
        const timer = setTimeout(run, ms);
        return () => {
          clearTimeout(timer);
        };
      },
      status: (status) => {
        fleet.status = status;
      },
      event: (name, data) => {
        fleet.receive(name, data);
        if (name === "fleet") clock.set(fleet.snapshot.ts);
      },
      signedOut: onSignedOut,
    });
    const onVisibility = () => {
      connection.visible(document.visibilityState === "visible");
    };
    const onOnline = () => {
      connection.hurry();
    };
    document.addEventListener("visibilitychange", onVisibility);
    window.addEventListener("online", onOnline);
    connection.start();
    return () => {
      document.removeEventListener("visibilitychange", onVisibility);
      window.removeEventListener("online", onOnline);
      connection.stop();
    };
  });
  return fleet;
}
