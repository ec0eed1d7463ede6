import { RbeeError, taskEventSchema, type TaskEvent } from "@rbee/contract";
import { createParser } from "eventsource-parser";

/**
 * Reads the server-sent events of a task, to its result.
 * @throws {RbeeError} `queen_unreachable` when they break off before; `hive_invalid_response` for what is no event.
 */
export async function* readTask(body: ReadableStream<Uint8Array>): AsyncGenerator<TaskEvent, void, undefined> {
  const events: TaskEvent[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (data === "[DONE]") return;
      const parsed = taskEventSchema.safeParse({ ...(JSON.parse(data) as object), type: event });
      if (!parsed.success)
        throw new RbeeError("hive_invalid_response", "The queen answered something that is not part of the protocol.", {
          suggestion: "Check that both sides run the same version of rbee.",
        });
      events.push(parsed.data);
    },
  });
  const decoder = new TextDecoder();
  try {
    for await (const bytes of body) {
      parser.feed(decoder.decode(bytes, { stream: true }));
      for (const event of events.splice(0)) {
        yield event;
        if (event.type === "result") return;
      }
    }
  } catch (cause) {
    if (cause instanceof RbeeError) throw cause;
    throw brokenOff(cause);
  }
  throw brokenOff(undefined);
}

const brokenOff = (cause: unknown): RbeeError =>
  new RbeeError("queen_unreachable", "The answer broke off before its end.", { suggestion: "Ask again.", cause });
