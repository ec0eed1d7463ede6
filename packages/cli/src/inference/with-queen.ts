import { RbeeError } from "@rbee/contract";
import type { Context } from "../command.ts";
import type { Connection } from "../connection/connect.ts";
import { startTemporaryQueen } from "../connection/temporary-queen.ts";

/**
 * Does something with the queen that runs, or with one that is started for as long as it takes.
 * @throws {RbeeError} `queen_unreachable` when none can be started; `forbidden` when nobody has set her up yet.
 */
export async function withQueen<T>(context: Context, work: (connection: Connection) => Promise<T>): Promise<T> {
  const running = context.find();
  if (running !== undefined) return work(running);
  const { signal, narrate } = context;
  narrate("keeper", "no queen runs, so one is started for this command");
  const temporary = await startTemporaryQueen(context.env, signal);
  try {
    const { ready } = await temporary.connection.client.health({ signal });
    if (!ready)
      throw new RbeeError("forbidden", "This household has no administrator yet.", {
        suggestion: "Run `npm start` and open its address once, or set RBEE_ADMIN_NAME and RBEE_ADMIN_PASSWORD.",
      });
    return await work(temporary.connection);
  } finally {
    await temporary.stop();
    narrate("keeper", "stopped that queen again");
  }
}
