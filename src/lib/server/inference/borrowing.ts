import { RbeeError, toRbeeError, type Helper, type HiveClient, type Worker, type WorkerSpawn } from "@rbee/contract";
import { loanView, type FreshWorkers } from "./fleet-view.ts";
import type { HelperPart, WorkerView } from "./placement.ts";

/** A helper starts a process and waits until that listens. */
const loanLimitMs = 20_000;

/** Starts workers whose model is spread over several hives. */
export interface Borrowing {
  /**
   * Has every helper lend what its part needs, then starts the worker with that; what was lent is given back when it
   * does not start. @throws {RbeeError} what a hive answers, with `hive_id` in its details when it is a helper.
   */
  spawn(body: WorkerSpawn, hiveId: string, helpers: readonly HelperPart[]): Promise<Worker>;
  /** The memory of a part, before its hive tells of it. */
  reservation(model: string, helper: HelperPart, number: number): WorkerView;
}

export function createBorrowing(options: {
  hive: (hiveId: string) => { client: HiveClient; name: string };
  urlBetween: (fromHiveId: string, toHiveId: string) => Promise<string | null>;
  fresh: FreshWorkers;
}): Borrowing {
  const { hive, urlBetween, fresh } = options;

  const giveBack = async (helpers: readonly Helper[]): Promise<void> => {
    await Promise.all(
      helpers.map(async ({ hive_id, loan_id }) => {
        fresh.forget(loan_id);
        // One that cannot be told ends it by itself, since nobody asks for it.
        await hive(hive_id)
          .client.endLoan({ params: { id: loan_id } })
          .catch(() => undefined);
      }),
    );
  };

  const borrow = async (model: string, mainId: string, part: HelperPart): Promise<Helper> => {
    const { hiveId, name } = part.hive;
    try {
      const url = await urlBetween(mainId, hiveId);
      if (url === null)
        throw new RbeeError("hive_unreachable", `${hive(mainId).name} does not know how to reach ${name}.`);
      const { loan_id, token, ...loan } = await hive(hiveId).client.startLoan({
        body: {
          model,
          borrower: hive(mainId).name,
          device: part.device.id,
          device_mb: part.promised.deviceMb,
          ram_mb: part.promised.ramMb,
        },
        timeoutMs: loanLimitMs,
      });
      fresh.add(loanView(hiveId, { loan_id, ...loan }, null));
      return { hive_id: hiveId, name, url, loan_id, token, device: part.device.id, share: part.share };
    } catch (thrown) {
      const { code, message, details, suggestion } = toRbeeError(thrown);
      // In its own words it speaks of a model as a whole.
      const said = message.includes(name) ? message : `${name}: ${message}`;
      throw new RbeeError(code, said, { details: { ...details, hive_id: hiveId }, suggestion, cause: thrown });
    }
  };

  return {
    async spawn(body, hiveId, parts) {
      const asked = await Promise.allSettled(parts.map((part) => borrow(body.model, hiveId, part)));
      const helpers = asked.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
      try {
        for (const each of asked) if (each.status === "rejected") throw each.reason;
        const { gpu_layers: _, ...rest } = body;
        return await hive(hiveId).client.spawnWorker({
          body: { ...rest, engine: "llama-server", helpers },
          // It reaches every helper first.
          timeoutMs: loanLimitMs,
        });
      } catch (error) {
        await giveBack(helpers);
        throw error;
      }
    },
    reservation: (model, { hive: { hiveId }, device, promised }, number) => ({
      ...loanView(
        hiveId,
        {
          loan_id: `loan:${number}`,
          model,
          backend: device.backend,
          device: device.id,
          device_mb: promised.deviceMb,
          ram_mb: promised.ramMb,
          loaded: false,
        },
        null,
      ),
      workerId: `start:${number}`,
    }),
  };
}
