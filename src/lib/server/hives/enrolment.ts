import { apiVersion, RbeeError } from "@rbee/contract";
import type { Logger } from "pino";
import { attemptLimit } from "#lib/server/limits/index.ts";
import type { JoinTokens } from "./join-tokens.ts";
import type { Registry } from "./registry.ts";
import type { Hives } from "./types.ts";

/** Uses the join token, or says why it cannot be used. */
function refusalOf(joinTokens: JoinTokens, joinToken: string, taken: boolean): unknown {
  try {
    joinTokens.check(joinToken);
    if (taken)
      throw new RbeeError("already_exists", "A hive with this id is enrolled with another secret.", {
        suggestion: "Remove that hive in the dashboard first, or delete hive.json on this machine.",
      });
    joinTokens.use(joinToken);
    return undefined;
  } catch (refusal) {
    return refusal;
  }
}

/**
 * Lets machines join with a join token. An enrolled hive can never be taken over: who does not hold its secret gets
 * `already_exists`, with or without a join token.
 */
export function createEnrolment(registry: Registry, joinTokens: JoinTokens, log: Logger): Hives["enroll"] {
  const limit = attemptLimit({ attempts: 60, windowS: 600, what: "join" });
  return async (request, sender) => {
    if (request.api_version !== apiVersion)
      throw new RbeeError(
        "hive_version_mismatch",
        `This queen speaks ${apiVersion}, the hive speaks ${request.api_version}.`,
        { suggestion: "Run the same version of rbee on both machines." },
      );
    const { hive_id: hiveId, hive_token: token, name } = request;
    // Nothing waits between here and the enrolment, so that two requests for one id cannot both find it free.
    const known = registry.find(hiveId);
    // A hive whose first answer got lost asks again with a token that is used up: its own secret is enough.
    if (known === undefined || !registry.holdsToken(known, token)) {
      const refusal = refusalOf(joinTokens, request.join_token, known !== undefined);
      if (refusal !== undefined) {
        await limit.attempt(sender);
        throw refusal;
      }
    }
    const hive = registry.enrol({
      hiveId,
      token,
      name,
      enrolment: known?.enrolment ?? "join_token",
      host: sender,
      port: request.port,
      version: request.version,
    });
    log.info({ hive: hive.name, host: sender }, "hive enrolled with a join token");
    return { hive_id: hive.hiveId, name: hive.name };
  };
}
