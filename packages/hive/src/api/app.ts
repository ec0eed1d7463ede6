import {
  apiVersion,
  hiveEndpoints,
  parseInput,
  RbeeError,
  toRbeeError,
  type Capabilities,
  type Endpoint,
} from "@rbee/contract";
import { eventStreamHeaders, lastEventId } from "@rbee/jobs";
import { Hono, type Context } from "hono";
import type { HiveJobs } from "../jobs/hive-jobs.ts";
import type { Loans } from "../loans/loans.ts";
import type { Logger } from "../log.ts";
import type { ModelCatalogue } from "../models/catalogue.ts";
import { describeEntry } from "../models/describe.ts";
import type { ModelGrants } from "../models/grants.ts";
import { sendFile } from "../models/send-file.ts";
import type { ModelStore } from "../models/store.ts";
import { logStream } from "../logs/log-stream.ts";
import type { HiveWorkers } from "../engines/workers.ts";
import { tunnelProtocol } from "../loans/tunnel-client.ts";
import { version } from "../version.ts";
import type { TokenGate } from "./authentication.ts";
import { readBody } from "./body.ts";

export interface AppOptions {
  readonly hiveId: string;
  readonly gate: TokenGate;
  readonly workers: HiveWorkers;
  readonly log: Logger;
  /** What the machine is and can run, after a fresh look. */
  readonly capabilities: () => Promise<Capabilities>;
  readonly models: { readonly catalogue: ModelCatalogue; readonly store: ModelStore; readonly grants: ModelGrants };
  readonly jobs: HiveJobs;
  readonly loans: Loans;
  /** Where this hive writes its log. */
  readonly logPath: string;
  /** The queen has named the address that it wants heartbeats at. */
  readonly reportTo: (queenUrl: string) => void;
}

type Handler = (context: Context) => Response | Promise<Response>;
type EndpointName = keyof typeof hiveEndpoints;
/** Relayed on node's own objects before a request comes here. */
type RelayedName = "chat";

/** Sources with the files of a model that is split over hundreds are long. */
const jobBodyBytes = 1024 * 1024;

const plainText = { "content-type": "text/plain; charset=utf-8" };
const honoPath = (path: string) => path.replace(/\{(\w+)\}/gu, ":$1");

/** What this hive answers, by endpoint of the contract; one that is missing does not type-check. */
function handlers(options: AppOptions): Record<Exclude<EndpointName, RelayedName>, Handler> {
  const { hiveId, workers, capabilities, logPath, reportTo, jobs, loans } = options;
  const { catalogue, store } = options.models;
  const idOf = (context: Context) => context.req.param("id") ?? "";
  return {
    health: () => Response.json({ status: "alive", version, api_version: apiVersion, hive_id: hiveId }),
    capabilities: async (context) => {
      const { queen_url } = parseInput(hiveEndpoints.capabilities.query, context.req.query());
      if (queen_url !== undefined) reportTo(queen_url.replace(/\/+$/u, ""));
      return Response.json(await capabilities());
    },
    listModels: async () => {
      await catalogue.scan();
      return Response.json({ data: [...catalogue.models, ...catalogue.broken].map(describeEntry) });
    },
    updateModel: async (context) => {
      const change = await readBody(hiveEndpoints.updateModel.body, context.req.raw);
      return Response.json(describeEntry(await store.update(idOf(context), change)));
    },
    grantModel: async (context) => {
      const grant = await store.grant(idOf(context), context.req.raw.signal);
      return Response.json(grant, { status: hiveEndpoints.grantModel.status });
    },
    modelFile: async (context) =>
      sendFile(await store.get(idOf(context)), context.req.param("name") ?? "", context.req.header("range")),
    startJob: async (context) => {
      const request = await readBody(hiveEndpoints.startJob.body, context.req.raw, jobBodyBytes);
      return Response.json(jobs.start(request), { status: hiveEndpoints.startJob.status });
    },
    listJobs: (context) =>
      Response.json({ data: jobs.jobs.list(parseInput(hiveEndpoints.listJobs.query, context.req.query())) }),
    getJob: (context) => Response.json(jobs.jobs.get(idOf(context))),
    cancelJob: (context) => {
      jobs.jobs.cancel(idOf(context));
      return new Response(null, { status: hiveEndpoints.cancelJob.status });
    },
    streamJob: (context) => {
      const stream = jobs.jobs.stream(idOf(context), {
        afterSeq: lastEventId(context.req.raw),
        signal: context.req.raw.signal,
      });
      return new Response(stream, { headers: eventStreamHeaders });
    },
    logs: (context) => {
      const query = parseInput(hiveEndpoints.logs.query, context.req.query());
      return new Response(logStream({ path: logPath, ...query }), { headers: plainText });
    },
    listWorkers: () => Response.json({ data: workers.list() }),
    spawnWorker: async (context) => {
      const request = await readBody(hiveEndpoints.spawnWorker.body, context.req.raw);
      return Response.json(await workers.spawn(request), { status: hiveEndpoints.spawnWorker.status });
    },
    getWorker: async (context) => {
      const { wait_ms } = parseInput(hiveEndpoints.getWorker.query, context.req.query());
      return Response.json(await workers.get(idOf(context), wait_ms));
    },
    stopWorker: async (context) => {
      const { drain_ms } = parseInput(hiveEndpoints.stopWorker.query, context.req.query());
      await workers.stop(idOf(context), drain_ms);
      return new Response(null, { status: hiveEndpoints.stopWorker.status });
    },
    workerLogs: (context) => {
      const query = parseInput(hiveEndpoints.workerLogs.query, context.req.query());
      return new Response(logStream({ path: workers.logPath(idOf(context)), ...query }), { headers: plainText });
    },
    startLoan: async (context) => {
      const request = await readBody(hiveEndpoints.startLoan.body, context.req.raw);
      return Response.json(await loans.start(request), { status: hiveEndpoints.startLoan.status });
    },
    listLoans: () => Response.json({ data: loans.list() }),
    keepLoan: (context) => {
      const { loaded } = parseInput(hiveEndpoints.keepLoan.query, context.req.query());
      return Response.json(loans.keep(idOf(context), loaded));
    },
    endLoan: (context) => {
      loans.end(idOf(context));
      return new Response(null, { status: hiveEndpoints.endLoan.status });
    },
    // Requests with the right `Upgrade` do not come here.
    loanTunnel: () => {
      throw new RbeeError("invalid_request", `This address takes connections with \`Upgrade: ${tunnelProtocol}\`.`);
    },
    workerHealth: async (context) => Response.json(await workers.check(idOf(context))),
  };
}

/** The methods that some endpoint takes at this path. */
function methodsAt(path: string): string[] {
  const matches = ({ path: template }: Endpoint) =>
    new RegExp(`^${template.replace(/\{\w+\}/gu, "[^/]+")}$`, "u").test(path);
  return [
    ...new Set(
      Object.values(hiveEndpoints)
        .filter(matches)
        .map(({ method }) => method),
    ),
  ];
}

/** What a loan's own token opens. */
const ofBorrowers: ReadonlySet<string> = new Set<EndpointName>(["keepLoan", "endLoan", "loanTunnel"]);

/** Lets through who knows the hive's token, and to a model's files or a loan also who has leave for that one. */
function authenticate(name: string, context: Context, { gate, models, loans }: AppOptions): void {
  const authorization = context.req.header("authorization");
  const id = context.req.param("id") ?? "";
  if (name === "modelFile" && models.grants.allows(authorization, id)) return;
  if (ofBorrowers.has(name) && loans.allows(authorization, id)) return;
  gate.check(authorization);
}

/** The hive's HTTP API but for the relay; its routes are the contract's table. */
export function createApp(options: AppOptions): Hono {
  const { log } = options;
  const app = new Hono();
  for (const [name, handler] of Object.entries(handlers(options))) {
    const endpoint: Endpoint = hiveEndpoints[name as Exclude<EndpointName, RelayedName>];
    app.on(endpoint.method, honoPath(endpoint.path), (context) => {
      if (endpoint.owner !== "public") authenticate(name, context, options);
      return handler(context);
    });
  }
  app.notFound((context) => {
    const allowed = methodsAt(context.req.path);
    if (allowed.length === 0) return new RbeeError("not_found", "Nothing lives at this address.").toResponse();
    const response = new RbeeError("method_not_allowed", `This address takes ${allowed.join(", ")}.`).toResponse();
    response.headers.set("allow", allowed.join(", "));
    return response;
  });
  app.onError((thrown, context) => {
    const error = toRbeeError(thrown);
    if (error.code === "internal_error")
      log.error({ err: thrown, method: context.req.method, path: context.req.path }, "A request failed.");
    return error.toResponse();
  });
  return app;
}
