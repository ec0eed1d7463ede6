import { apiVersion, RbeeError } from "@rbee/contract";
import type { Logger } from "pino";
import { attemptLimit } from "#lib/server/limits/index.ts";
import type { JoinTokens } from "./join-tokens.ts";
import type { Registry } from "./registry.ts";
import type { Hives } from "./types.ts";

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
    const isItself = () => {
      const known = registry.find(hiveId);
      return known !== undefined && registry.holdsToken(known, token);
    };
    // A hive whose first answer got lost asks again with a token that is used up: its own secret is enough.
    if (!isItself()) await limit.attempt(sender);
    // From here to the enrolment nothing waits, so that two requests for one id cannot both find it free.
    const known = registry.find(hiveId);
    if (!isItself()) {
      joinTokens.check(request.join_token);
      if (known !== undefined)
        throw new RbeeError("already_exists", "A hive with this id is enrolled with another secret.", {
          suggestion: "Remove that hive in the dashboard first, or delete hive.json on this machine.",
        });
      joinTokens.use(request.join_token);
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
