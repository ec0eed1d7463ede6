import { joinTokenRequestSchema, parseInput } from "@rbee/contract";
import { adminOf } from "../../../access.ts";
import { attempt, textOf } from "../../../action-errors.ts";
import type { Actions, PageServerLoad } from "./$types";

const operations: ReadonlySet<string> = new Set(["hive_check", "hive_install", "hive_adopt"]);
const defaultPort = 7835;

export const load: PageServerLoad = (event) => {
  adminOf(event);
  const { machines, hives } = event.locals.queen;
  const { searchParams } = event.url;
  const port = Number(searchParams.get("port") ?? defaultPort);
  return {
    tokens: hives.joinTokens.list(),
    nearby: machines.nearby(),
    picked: {
      target: searchParams.get("target") ?? "",
      port: Number.isInteger(port) && port > 0 && port < 65_536 ? port : defaultPort,
      adopt: searchParams.get("then") === "adopt",
    },
    work: workOf(event, searchParams.get("job")),
  };
};

/** The job that this page was on before it was loaded anew; none when it is something else or long forgotten. */
function workOf({ locals }: Parameters<PageServerLoad>[0], jobId: string | null) {
  const { jobs } = locals.queen;
  if (jobId === null) return null;
  try {
    const job = jobs.get(jobId);
    return operations.has(job.operation) ? { job, events: jobs.events(jobId) } : null;
  } catch {
    return null;
  }
}

export const actions: Actions = {
  createToken: async (event) => {
    adminOf(event);
    const form = await event.request.formData();
    const { queen } = event.locals;
    return attempt(() => {
      const input = parseInput(joinTokenRequestSchema, {
        uses: Number(textOf(form, "uses")),
        expires_in_s: Number(textOf(form, "expires_in_s")),
      });
      return { joinToken: queen.hives.joinTokens.create(input, queen.household.apiUrl(event.url.origin)) };
    });
  },
  revokeToken: async (event) => {
    adminOf(event);
    const form = await event.request.formData();
    return attempt(() => {
      event.locals.queen.hives.joinTokens.revoke(textOf(form, "id"));
      return { revoked: true };
    });
  },
};
