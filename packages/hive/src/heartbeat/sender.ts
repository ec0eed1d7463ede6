import { type FetchLike, type Heartbeat, RbeeError, reportingClient } from "@rbee/contract";
import { Agent, fetch as undiciFetch } from "undici";

/** How one heartbeat fared. `problem` is a stable word per kind of failure, `message` is for people. */
export type SendResult =
  { readonly kind: "delivered" } | { readonly kind: "failed"; readonly problem: string; readonly message: string };

export interface HeartbeatSender {
  send(queenUrl: string, heartbeat: Heartbeat, signal: AbortSignal): Promise<SendResult>;
  close(): Promise<void>;
}

const advice: Partial<Record<string, string>> = {
  missing_api_key: "The queen refuses this hive's token; let this machine join again with a new join token.",
  invalid_api_key: "The queen refuses this hive's token; let this machine join again with a new join token.",
  node_not_found: "The queen does not know this hive; let this machine join again with a new join token.",
  hive_version_mismatch: "Run the same version of rbee on both machines.",
};

/** Sends heartbeats over one kept-alive connection, with 5 s to connect and 10 s in all. */
export function httpSender(hiveToken: string): HeartbeatSender {
  const agent = new Agent({ connections: 1, connect: { timeout: 5_000 }, keepAliveTimeout: 60_000 });
  const doFetch: FetchLike = async (url, init) => {
    const response = await undiciFetch(url, { ...init, dispatcher: agent, redirect: "error" });
    // To the compiler undici's Response is another class than the global one; it has all that a client reads.
    return response as unknown as Response;
  };
  return {
    async send(queenUrl, heartbeat, signal) {
      const queen = reportingClient({ baseUrl: queenUrl, token: hiveToken, fetch: doFetch, timeoutMs: 10_000 });
      try {
        await queen.heartbeat({ body: heartbeat, signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]) });
        return { kind: "delivered" };
      } catch (error) {
        if (!(error instanceof RbeeError)) return { kind: "failed", problem: "unreachable", message: "No answer." };
        return { kind: "failed", problem: error.code, message: advice[error.code] ?? error.message };
      }
    },
    close: () => agent.destroy(),
  };
}
