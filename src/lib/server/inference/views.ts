import type {
  Backend,
  Device,
  Engine,
  ExternalSource,
  Health,
  HiveModel,
  RbeeError,
  SpreadPart,
  WorkerSpawn,
  WorkerState,
} from "@rbee/contract";

/** Memory in MB: of a device's own, which is nothing where it has none, and of main memory. */
export interface Memory {
  readonly deviceMb: number;
  readonly ramMb: number;
}

/** A worker as placement sees it. */
export interface WorkerView {
  readonly workerId: string;
  readonly hiveId: string;
  readonly model: string;
  /** The model of which it computes a part, on another hive than its worker's own. */
  readonly partOf?: string;
  readonly state: WorkerState;
  /** Null where it is unknown, as of servers that are not rbee's. */
  readonly backend: Backend | null;
  /** Device id, for example `cuda:0`; null where it is unknown. */
  readonly device: string | null;
  /** What runs it: our own program when left out. */
  readonly engine?: Engine;
  /** The server that it is a model of, when rbee did not start it and cannot stop it. */
  readonly external?: ExternalSource | undefined;
  readonly slotsTotal: number | null;
  /** Tokens of context per slot; unknown when null or left out. */
  readonly contextLength?: number | null;
  /** Requests it is answering: the greater of what its hive measured and what this queen has sent it. */
  readonly running: number;
  /** Seconds without work; unknown when left out. */
  readonly idleS?: number | null;
  /** The machines that share its model, its own first; undefined when it runs on one alone. */
  readonly spread?: readonly SpreadPart[] | undefined;
  /** What it was promised when it started. */
  readonly promised?: Memory;
  /** What would be free without it, as measured. */
  readonly holds?: Memory;
  /** It never makes room for another model. */
  readonly pinned?: boolean;
  /** It has only just become ready and not answered anybody yet: those who waited for it come first. */
  readonly fresh?: boolean;
  /** It takes no new requests, since others have waited long for its memory. */
  readonly yielding?: boolean;
}

/** What placement needs to know of a model on a hive. */
export type ModelView = Pick<HiveModel, "id" | "size_bytes" | "context_length" | "memory">;

export type DeviceView = Pick<Device, "id" | "backend" | "memory_of">;

/** Whether a hive can share a model with others: the release of its llama-server and what that computes on, or why it cannot. */
export type SpreadAbility =
  { readonly release: string | null; readonly backends: readonly Backend[] } | { readonly problem: string };

/** A hive as placement sees it. */
export interface HiveView {
  readonly hiveId: string;
  readonly name: string;
  readonly health: Health;
  /** Null until the hive has told. */
  readonly models: readonly ModelView[] | null;
  /** Ids of the models that servers of others on it had when it told last. */
  readonly served?: readonly string[];
  /** The devices that a worker can be started on. */
  readonly devices: readonly DeviceView[];
  /** The same for engines that not every hive has; what is not in it, the hive lacks. */
  readonly engines?: Readonly<Partial<Record<Engine, readonly DeviceView[]>>>;
  /** Free memory as measured, by whose it is: `ram`, or a device's id. Null where it cannot be measured. */
  readonly freeMb: Readonly<Record<string, number | null>>;
  /** Main memory that all its workers may take; null when nobody limited it. */
  readonly limitMb: number | null;
  /** Slots of a worker for which nobody chose a number. */
  readonly usualSlots: number;
  readonly spreading?: SpreadAbility;
  readonly workers: readonly WorkerView[];
}

export interface FleetView {
  readonly hives: readonly HiveView[];
  /** Ids of the hives over which the household spreads a model, its main one first, by model. */
  readonly across?: ReadonlyMap<string, readonly string[]>;
}

/** What a request insists on; there is no silent fall-back to another. */
export interface Where {
  /** Ids of the only hives that may be used. */
  readonly hives?: ReadonlySet<string> | undefined;
  readonly backend?: Backend | undefined;
  readonly device?: string | undefined;
  /** Tokens of context that a slot must have at least. */
  readonly contextLength?: number | undefined;
}

/** Loading a model on a hive failed so often that it is left alone for a while. */
export interface Failing {
  readonly failures: number;
  readonly error: RbeeError;
  /** Seconds until it is tried again. */
  readonly retryAfterS: number;
}

export interface PlacementRequest extends Where {
  readonly model: string;
  /** What was decided about workers of this model. */
  readonly options?: Partial<WorkerSpawn>;
  /** Workers that have just failed this request: their being ready is not believed, but they may be waited for. */
  readonly avoid?: ReadonlySet<string>;
  /** Hives, by id, where this model is not to be loaded now. */
  readonly failing?: ReadonlyMap<string, Failing>;
  /** What hives themselves have just said is free, in MB, by hive and then by whose memory it is. */
  readonly told?: ReadonlyMap<string, Readonly<Record<string, number>>>;
  /** Whether a new worker is wanted even where one is. */
  readonly another?: boolean;
  /** Whether idle workers may be stopped for it. Default true. */
  readonly mayEvict?: boolean;
}
