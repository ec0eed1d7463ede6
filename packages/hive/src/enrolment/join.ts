import { apiVersion, errorCatalogue, RbeeError, reportingClient, type ReportingClient } from "@rbee/contract";
import type { Clock } from "../clock.ts";
import type { Identity } from "../identity.ts";
import type { Logger } from "../log.ts";
import { version } from "../version.ts";

export interface JoinOptions {
  readonly identity: Identity;
  readonly queenUrl: string;
  readonly joinToken: string;
  readonly name: string;
  /** The port this hive listens on. */
  readonly port: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly queen?: Pick<ReportingClient, "enrollHive">;
}

/** How long to wait before the next attempt, in milliseconds: doubling from one second to half a minute. */
export function joinDelayMs(failures: number): number {
  return Math.min(30_000, 1_000 * 2 ** (failures - 1));
}

/** Worth another attempt: the queen is not there yet, or is too busy. What it refuses, it will refuse again. */
function passing(error: unknown): error is RbeeError {
  if (!(error instanceof RbeeError)) return false;
  return error.code === "rate_limited" || errorCatalogue[error.code].retry !== "never";
}

/**
 * Joins the household with a join token and stores where the queen is. Waits for a queen that does not answer.
 * @returns false when `signal` aborted first.
 * @throws {RbeeError} with the queen's own reason when it refuses.
 */
export async function join(options: JoinOptions): Promise<boolean> {
  const { identity, queenUrl, joinToken, name, port, clock, log, signal } = options;
  const queen = options.queen ?? reportingClient({ baseUrl: queenUrl });
  for (let failures = 0; !signal.aborted;) {
    try {
      await queen.enrollHive({
        body: {
          join_token: joinToken,
          hive_id: identity.hiveId,
          hive_token: identity.hiveToken,
          name,
          version,
          api_version: apiVersion,
          port,
        },
        signal,
      });
      identity.joined(queenUrl, joinToken);
      log.info({ queen_url: queenUrl }, `Joined the household of ${queenUrl} as ${name}.`);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (!passing(error)) throw error;
      failures += 1;
      if (failures === 1)
        log.warn({ queen_url: queenUrl, code: error.code }, `Cannot join yet: ${error.message} Trying again.`);
      await clock.sleep(error.retryAfterS === undefined ? joinDelayMs(failures) : error.retryAfterS * 1_000, signal);
    }
  }
  return false;
}
