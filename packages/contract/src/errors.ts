import * as z from "zod";

/** How rbee itself reacts to an error before a person sees it. */
export type RetryRule = "never" | "connect" | "busy" | "backoff";

interface ErrorDefinition {
  readonly status: number;
  /** The `type` that OpenAI's clients show for errors of this class. */
  readonly type: string;
  readonly retry: RetryRule;
  readonly summary: string;
  /** What a person can do about it when nothing better is known where it happens. */
  readonly suggestion: string;
}

/**
 * The one catalogue of errors: every code that a person, an app or another process can meet.
 * Docs, the OpenAPI document and the tests are made from it.
 */
export const errorCatalogue = {
  invalid_request: {
    status: 400,
    type: "invalid_request_error",
    retry: "never",
    summary: "The input is malformed or asks for something unsupported; `param` names the field.",
    suggestion: "Correct what the message names and send it again.",
  },
  context_length_exceeded: {
    status: 400,
    type: "invalid_request_error",
    retry: "never",
    summary: "The prompt and the answer asked for do not fit into the model's context.",
    suggestion: "Shorten the conversation, or ask for a shorter answer with `max_tokens`.",
  },
  backend_unavailable: {
    status: 400,
    type: "invalid_request_error",
    retry: "never",
    summary: "The named backend or device does not exist there; `details` lists what does.",
    suggestion: "Choose one of those that `details` lists, or name none.",
  },
  missing_api_key: {
    status: 401,
    type: "authentication_error",
    retry: "never",
    summary: "The request carries no credentials.",
    suggestion: "Sign in, or send an API key as `Authorization: Bearer`; `rbee key create` makes one.",
  },
  invalid_api_key: {
    status: 401,
    type: "authentication_error",
    retry: "never",
    summary: "The credentials are unknown, revoked or expired.",
    suggestion: "Look for a typing error, or make a new key with `rbee key create`.",
  },
  forbidden: {
    status: 403,
    type: "permission_error",
    retry: "never",
    summary: "The credentials are valid but do not allow this.",
    suggestion: "Ask an administrator of the household.",
  },
  model_not_allowed: {
    status: 403,
    type: "permission_error",
    retry: "never",
    summary: "This person or key may not use this model.",
    suggestion: "Use another model, or ask an administrator to allow this one.",
  },
  quiet_hours: {
    status: 403,
    type: "permission_error",
    retry: "never",
    summary: "This person's quiet hours are now.",
    suggestion: "Wait until they are over, or ask an administrator.",
  },
  not_found: {
    status: 404,
    type: "invalid_request_error",
    retry: "never",
    summary: "Nothing lives at this address.",
    suggestion: "Check the address; `/openapi.json` lists all there are.",
  },
  node_not_found: {
    status: 404,
    type: "invalid_request_error",
    retry: "never",
    summary: "No such hive is enrolled.",
    suggestion: "`rbee hive list` shows which there are, `rbee hive add` adds one.",
  },
  model_not_found: {
    status: 404,
    type: "invalid_request_error",
    retry: "never",
    summary: "No hive of the household has this model.",
    suggestion: "`rbee model list` shows which there are, `rbee model pull` fetches one.",
  },
  worker_not_found: {
    status: 404,
    type: "invalid_request_error",
    retry: "never",
    summary: "No such worker runs on this hive.",
    suggestion: "`rbee worker list` shows which there are.",
  },
  job_not_found: {
    status: 404,
    type: "invalid_request_error",
    retry: "never",
    summary: "No such job is known.",
    suggestion: "`rbee job list` shows which there are.",
  },
  method_not_allowed: {
    status: 405,
    type: "invalid_request_error",
    retry: "never",
    summary: "This address exists, but not with this method.",
    suggestion: "Use a method that the `Allow` header names.",
  },
  request_timeout: {
    status: 408,
    type: "invalid_request_error",
    retry: "never",
    summary: "The request took longer than its time limit.",
    suggestion: "Try again; when it happens often, look at the network between the two sides.",
  },
  already_exists: {
    status: 409,
    type: "invalid_request_error",
    retry: "never",
    summary: "Something of that name or address exists already.",
    suggestion: "Choose another name, or change or remove what is there.",
  },
  model_in_use: {
    status: 409,
    type: "invalid_request_error",
    retry: "never",
    summary: "A worker runs this model; `details` names it.",
    suggestion: "Stop that worker first.",
  },
  payload_too_large: {
    status: 413,
    type: "invalid_request_error",
    retry: "never",
    summary: "The request body is larger than the server takes.",
    suggestion: "Send less at once.",
  },
  rate_limited: {
    status: 429,
    type: "rate_limit_error",
    retry: "never",
    summary: "Too many requests in too short a time; `Retry-After` says when to come back.",
    suggestion: "Wait as long as `Retry-After` says.",
  },
  quota_exceeded: {
    status: 429,
    type: "rate_limit_error",
    retry: "never",
    summary: "The person's or key's token budget is used up.",
    suggestion: "Wait until the budget is renewed, or ask an administrator for a larger one.",
  },
  queue_full: {
    status: 429,
    type: "rate_limit_error",
    retry: "never",
    summary: "The model's queue is full; `Retry-After` says when to come back.",
    suggestion: "Try again when `Retry-After` says; a second machine with this model would halve the queue.",
  },
  request_cancelled: {
    status: 499,
    type: "invalid_request_error",
    retry: "never",
    summary: "The client went away (seen in logs only).",
    suggestion: "There is nothing to do.",
  },
  internal_error: {
    status: 500,
    type: "server_error",
    retry: "never",
    summary: "rbee failed in a way it did not foresee; the log of the process named has the cause.",
    suggestion: "Look into the log of the process that answered.",
  },
  worker_spawn_failed: {
    status: 500,
    type: "server_error",
    retry: "backoff",
    summary: "A worker process could not be started.",
    suggestion: "Look into the worker's log on that machine.",
  },
  worker_crashed: {
    status: 500,
    type: "server_error",
    retry: "never",
    summary: "The worker process died while it was answering.",
    suggestion: "Try again: the worker is started anew. When it happens often, its log on that machine says why.",
  },
  worker_load_timeout: {
    status: 500,
    type: "server_error",
    retry: "never",
    summary: "The model did not finish loading within its time limit.",
    suggestion: "Raise RBEE_LOAD_TIMEOUT on that machine, or take a smaller model.",
  },
  worker_stalled: {
    status: 500,
    type: "server_error",
    retry: "never",
    summary: "The worker produced no token for 60 s.",
    suggestion: "Try again; when it happens often, stop the worker, so that the next request starts a new one.",
  },
  download_not_found: {
    status: 502,
    type: "server_error",
    retry: "never",
    summary: "The hub does not have this model or file.",
    suggestion: "Check the spelling.",
  },
  download_forbidden: {
    status: 502,
    type: "server_error",
    retry: "never",
    summary: "The hub refuses this download; set HF_TOKEN to one that may read it.",
    suggestion: "Set HF_TOKEN on the hive to a token that may read it.",
  },
  download_stalled: {
    status: 502,
    type: "server_error",
    retry: "backoff",
    summary: "The download delivered no byte for 60 s.",
    suggestion: "Check the connection to the internet and try again; what is here is kept.",
  },
  download_failed: {
    status: 502,
    type: "server_error",
    retry: "backoff",
    summary: "The download failed.",
    suggestion: "Try again later; what is here is kept.",
  },
  checksum_mismatch: {
    status: 502,
    type: "server_error",
    retry: "backoff",
    summary: "The downloaded file is not the one the hub announced.",
    suggestion: "Try again later; when it happens again, take the model from elsewhere.",
  },
  ssh_timeout: {
    status: 503,
    type: "server_error",
    retry: "connect",
    summary: "The host did not answer the SSH connection in time.",
    suggestion: "Check that the machine is on and that its address is right.",
  },
  ssh_auth_failed: {
    status: 503,
    type: "server_error",
    retry: "never",
    summary: "The host refused the SSH key or password.",
    suggestion: "Check the user's name and which key or password the machine lets in.",
  },
  ssh_host_key_unknown: {
    status: 503,
    type: "server_error",
    retry: "never",
    summary: "The host's SSH key has not been accepted yet.",
    suggestion: "Compare the fingerprint with the machine's own and accept it.",
  },
  ssh_host_key_changed: {
    status: 503,
    type: "server_error",
    retry: "never",
    summary: "The host's SSH key is not the one that was accepted.",
    suggestion: "Find out why it changed before you trust the machine again.",
  },
  ssh_command_failed: {
    status: 503,
    type: "server_error",
    retry: "never",
    summary: "A command on the host failed.",
    suggestion: "Run the command there by hand to see more.",
  },
  ssh_connection_lost: {
    status: 503,
    type: "server_error",
    retry: "connect",
    summary: "The SSH connection dropped.",
    suggestion: "Check the network and try again.",
  },
  queen_unreachable: {
    status: 503,
    type: "server_error",
    retry: "connect",
    summary: "The queen does not accept connections.",
    suggestion: "Check that the queen runs and that this machine reaches her address.",
  },
  hive_unreachable: {
    status: 503,
    type: "server_error",
    retry: "connect",
    summary: "The hive does not accept connections.",
    suggestion: "Check that the machine is on and that rbee-hive runs there.",
  },
  hive_invalid_response: {
    status: 503,
    type: "server_error",
    retry: "never",
    summary: "The hive answered something that is not part of the protocol.",
    suggestion: "Check that this address is rbee's, and that both sides run the same version of it.",
  },
  hive_version_mismatch: {
    status: 503,
    type: "server_error",
    retry: "never",
    summary: "The hive speaks another version of the protocol.",
    suggestion: "Run the same version of rbee on both machines.",
  },
  hive_down: {
    status: 503,
    type: "server_error",
    retry: "never",
    summary: "The hive stopped sending heartbeats.",
    suggestion: "Start rbee-hive on that machine, or look at its network.",
  },
  model_loading: {
    status: 503,
    type: "server_error",
    retry: "never",
    summary: "The model is still loading; `Retry-After` says when to come back.",
    suggestion: "Try again when `Retry-After` says.",
  },
  worker_busy: {
    status: 503,
    type: "server_error",
    retry: "busy",
    summary: "The worker takes no request now (full or draining).",
    suggestion: "Try again when `Retry-After` says.",
  },
  overloaded: {
    status: 503,
    type: "server_error",
    retry: "busy",
    summary: "The server takes no more of these now.",
    suggestion: "Try again in a few seconds.",
  },
  insufficient_ram: {
    status: 507,
    type: "server_error",
    retry: "never",
    summary: "Not enough memory; `details` gives need and have in MB.",
    suggestion: "Stop another worker, ask for a shorter context or fewer slots, or take a smaller model.",
  },
  insufficient_vram: {
    status: 507,
    type: "server_error",
    retry: "never",
    summary: "Not enough GPU memory; `details` gives need and have in MB.",
    suggestion: "Stop another worker, ask for a shorter context or fewer slots, or take a smaller model.",
  },
  insufficient_disk: {
    status: 507,
    type: "server_error",
    retry: "never",
    summary: "Not enough disk space; `details` gives need and have in MB.",
    suggestion: "Make room on that disk, or take a smaller model.",
  },
} as const satisfies Record<string, ErrorDefinition>;

export type ErrorCode = keyof typeof errorCatalogue;

export const errorCodes = Object.keys(errorCatalogue) as [ErrorCode, ...ErrorCode[]];

/** The one JSON shape of every error, on the wire and in stream error events. */
export const errorBodySchema = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string(),
      details: z.record(z.string(), z.unknown()).optional(),
      suggestion: z.string().optional(),
    }),
  })
  .meta({ id: "Error" });
export type ErrorBody = z.infer<typeof errorBodySchema>;

export interface RbeeErrorOptions {
  param?: string | undefined;
  details?: Record<string, unknown> | undefined;
  /** What the reader can do about it, one sentence; the catalogue's own when left out. */
  suggestion?: string | undefined;
  retryAfterS?: number | undefined;
  cause?: unknown;
}

/** An error with a code of the catalogue: the only kind whose message may reach a person. */
export class RbeeError extends Error {
  override readonly name = "RbeeError";
  readonly code: ErrorCode;
  readonly param: string | undefined;
  readonly details: Record<string, unknown> | undefined;
  readonly suggestion: string;
  readonly retryAfterS: number | undefined;

  constructor(code: ErrorCode, message: string, options: RbeeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.param = options.param;
    this.details = options.details;
    this.suggestion = options.suggestion ?? errorCatalogue[code].suggestion;
    this.retryAfterS = options.retryAfterS;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }

  toBody(): ErrorBody {
    return {
      error: {
        message: this.message,
        type: errorCatalogue[this.code].type,
        param: this.param ?? null,
        code: this.code,
        ...(this.details === undefined ? {} : { details: this.details }),
        suggestion: this.suggestion,
      },
    };
  }

  /** Headers that belong to the error's HTTP answer. */
  headers(): Record<string, string> {
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (this.retryAfterS !== undefined) headers["retry-after"] = String(Math.max(1, Math.ceil(this.retryAfterS)));
    if (this.status === 401) headers["www-authenticate"] = "Bearer";
    // The rest of a request that came too slowly is not waited for.
    if (this.status === 408) headers["connection"] = "close";
    return headers;
  }

  toResponse(): Response {
    return new Response(JSON.stringify(this.toBody()), { status: this.status, headers: this.headers() });
  }

  /** Rebuilds an error that came over the wire; an unknown code becomes `fallback`. */
  static fromBody(body: ErrorBody, fallback: ErrorCode, retryAfterS?: number): RbeeError {
    const { error } = body;
    const code = isErrorCode(error.code) ? error.code : fallback;
    return new RbeeError(code, error.message, {
      param: error.param ?? undefined,
      details: error.details,
      suggestion: error.suggestion,
      retryAfterS,
    });
  }
}

export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(errorCatalogue, value);
}

/**
 * Turns anything thrown into an error that may be shown. What is not an `RbeeError` becomes
 * `internal_error` with a fixed sentence, so that no stack, path or secret leaks.
 */
export function toRbeeError(thrown: unknown): RbeeError {
  if (thrown instanceof RbeeError) return thrown;
  return new RbeeError("internal_error", "Something went wrong inside rbee.", {
    suggestion: "Look into the log of the process that answered.",
    cause: thrown,
  });
}

/** The last event of a stream that failed: a `data:` line in OpenAI's shape, never followed by `[DONE]`. */
export function streamErrorEvent(error: RbeeError): string {
  return `data: ${JSON.stringify(error.toBody())}\n\n`;
}
