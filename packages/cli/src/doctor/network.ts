import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import { fail, ok, warn, type Check, type Finding } from "./finding.ts";

/** Why a port cannot be listened on, or undefined when it can. */
function refusal(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code === "EADDRINUSE" ? "is taken by another program" : (error.code ?? error.message));
    });
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

async function portOf(name: string, port: number, host: string, variable: string, ours: boolean): Promise<Finding> {
  if (port === 0) return ok(name, "any free one");
  const why = await refusal(port, host);
  if (why === undefined) return ok(name, `${port} is free`);
  if (ours) return ok(name, `${port} is rbee's own`);
  const another = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(2_000) })
    .then((answer) => answer.json() as Promise<{ status?: string }>)
    .catch(() => ({}) as { status?: string });
  const taken = another.status === "alive" ? "is taken by another rbee, of another data folder" : why;
  return fail(name, `${port} ${taken}`, `Stop that program, or set ${variable} to another port.`);
}

const reasonOf = (error: unknown): string => {
  const { cause, message, name } = error as Error & { cause?: { code?: string; message?: string } };
  if (name === "TimeoutError" || name === "AbortError") return "it does not answer within 8 s";
  return cause?.code ?? cause?.message ?? message;
};

/** Whether the hub answers, and takes the token where there is one. */
async function hub(url: string, token: string | undefined): Promise<Finding> {
  const name = "hub";
  try {
    const path = token === undefined ? "/api/models?limit=1" : "/api/whoami-v2";
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const { status, body } = await fetch(`${url}${path}`, { headers, signal: AbortSignal.timeout(8_000) });
    await body?.cancel();
    if (token !== undefined && (status === 401 || status === 403))
      return warn(name, `${url} answers, but does not take HF_TOKEN`, "Make a new token there, or unset HF_TOKEN.");
    if (status >= 500)
      return warn(name, `${url} answers ${status}`, "Try later; models that are here already can be used meanwhile.");
    return ok(name, `${url} answers`);
  } catch (error) {
    return warn(
      name,
      `${url} cannot be reached (${reasonOf(error)})`,
      "Models that are here can be used all the same. To get more: check the network, or set HF_ENDPOINT.",
    );
  }
}

/** Whether machines that announce themselves can be heard here. */
function multicast(isWanted: boolean): Promise<Finding> {
  const name = "multicast";
  if (!isWanted) return Promise.resolve(ok(name, "switched off by RBEE_MDNS"));
  const remedy = "Machines are found by name and address all the same; to hear announcements, allow UDP port 5353.";
  return new Promise((resolve) => {
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    const end = (finding: Finding) => {
      socket.close();
      resolve(finding);
    };
    socket.once("error", (error: NodeJS.ErrnoException) => {
      end(warn(name, `cannot be listened to (${error.code ?? error.message})`, remedy));
    });
    socket.bind(5_353, () => {
      try {
        socket.addMembership("224.0.0.251");
        end(ok(name, "machines that announce themselves can be heard"));
      } catch (error) {
        end(warn(name, `cannot be listened to (${(error as NodeJS.ErrnoException).code ?? "refused"})`, remedy));
      }
    });
  });
}

/** Whether the ssh agent of the environment answers; without one, keys come from files. */
async function sshAgent(socket: string | undefined): Promise<Finding> {
  if (socket === undefined || socket === "") return ok("ssh agent", "none; keys are read from ~/.ssh");
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const connection = connect(socket, () => {
    resolve(true);
  }).once("error", () => {
    resolve(false);
  });
  const answers = await promise;
  connection.destroy();
  return answers
    ? ok("ssh agent", "answers")
    : warn(
        "ssh agent",
        `does not answer at ${socket}`,
        "Start it again with `eval $(ssh-agent)`, or unset SSH_AUTH_SOCK.",
      );
}

export interface NetworkFacts {
  readonly queen: { readonly port: number; readonly host: string };
  readonly hive: { readonly port: number; readonly host: string };
  /** A queen of this data folder runs, so that taken ports are hers and her hive's. */
  readonly running: boolean;
  readonly hubUrl: string;
  readonly hubToken: string | undefined;
  readonly announce: boolean;
  readonly agentSocket: string | undefined;
}

/** What is needed of the network. */
export function networkChecks(facts: NetworkFacts): readonly Check[] {
  const { queen, hive, running } = facts;
  return [
    { name: "queen's port", look: () => portOf("queen's port", queen.port, queen.host, "RBEE_PORT", running) },
    { name: "hive's port", look: () => portOf("hive's port", hive.port, hive.host, "RBEE_HIVE_PORT", running) },
    { name: "hub", look: () => hub(facts.hubUrl, facts.hubToken) },
    { name: "multicast", look: () => multicast(facts.announce) },
    { name: "ssh agent", look: () => sshAgent(facts.agentSocket) },
  ];
}
