import type { Beehive } from "@rbee/contract";
import type { MachineAccess } from "../access.ts";
import { exec } from "../ssh/index.ts";

const home = '"${XDG_DATA_HOME:-$HOME/.local/share}"/rbee/hive';
/** A reader that is so far behind will not catch up; what it misses is on that machine. Characters. */
const mostBehind = 4 * 1_048_576;

/** The file it was turned over from comes first, as far as it is needed. */
const script = (lines: number, follow: boolean) => `cd ${home}/logs 2>/dev/null || exit 3
[ -e hive.log ] || exit 3
have=$(wc -l <hive.log)
if [ "$have" -lt ${lines} ] && [ -e hive.log.1 ]; then tail -n $((${lines} - have)) hive.log.1; fi
exec tail -n ${lines} ${follow ? "-F" : ""} hive.log`;

/**
 * The log of a hive that does not answer, read on its machine. It ends there at once when the reader leaves.
 * @throws {RbeeError} as connecting does; what goes wrong later ends the stream with an error.
 */
export async function logOverSsh(
  access: Pick<MachineAccess, "withMachineQuietly">,
  machine: Pick<Beehive, "target">,
  { lines, follow }: { lines: number; follow: boolean },
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const left = new AbortController();
  const over = AbortSignal.any([signal, left.signal]);
  const connected = Promise.withResolvers<ReadableStream<Uint8Array>>();

  access
    .withMachineQuietly(machine.target, undefined, over, async (connection) => {
      const encoder = new TextEncoder();
      let sink: ReadableStreamDefaultController<Uint8Array> | undefined;
      const stream = new ReadableStream<Uint8Array>(
        {
          start(controller) {
            sink = controller;
          },
          cancel() {
            left.abort();
          },
        },
        new ByteLengthQueuingStrategy({ highWaterMark: 65_536 }),
      );
      connected.resolve(stream);
      const take = (line: string) => {
        if (over.aborted) return;
        sink?.enqueue(encoder.encode(`${line}\n`));
        if ((sink?.desiredSize ?? 0) < -mostBehind) left.abort();
      };
      try {
        const end = await exec(connection, script(lines, follow), {
          name: "tail",
          signal: over,
          allowFailure: true,
          onStdout: take,
        });
        if (end.exitCode === 3) take(`There is no log of a hive in ~/.local/share/rbee/hive on ${machine.target}.`);
        if (!over.aborted) sink?.close();
      } catch (error) {
        if (left.signal.aborted) return;
        try {
          if (signal.aborted) sink?.close();
          else sink?.error(error);
        } catch {
          // The reader has left in this very moment.
        }
      }
    })
    .catch((error: unknown) => {
      connected.reject(error);
    });
  return connected.promise;
}
