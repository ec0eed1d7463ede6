import { workerCommandSchema, type WorkerCommand, type WorkerMessage } from "@rbee/contract";

/** The process channel between a worker and the hive that started it. */
export interface HiveChannel {
  send(message: WorkerMessage): void;
  /** Sends, and resolves when the message has left, so that the process may exit. */
  sendLast(message: WorkerMessage): Promise<void>;
}

/**
 * Opens the channel of this process. A worker that was started without one, as the bench does, talks to nobody.
 * `onLost` is called when the hive is gone.
 */
export function openHiveChannel(hooks: { onCommand(command: WorkerCommand): void; onLost(): void }): HiveChannel {
  if (process.send === undefined) return { send: () => {}, sendLast: () => Promise.resolve() };
  process.on("message", (value) => {
    const command = workerCommandSchema.safeParse(value);
    if (command.success) hooks.onCommand(command.data);
  });
  process.on("disconnect", hooks.onLost);
  const sendThen = (message: WorkerMessage, done: () => void) => {
    if (!process.connected) {
      done();
      return;
    }
    process.send?.(message, undefined, undefined, done);
  };
  return {
    send: (message) => {
      sendThen(message, () => {});
    },
    sendLast: (message) =>
      new Promise((resolve) => {
        sendThen(message, resolve);
      }),
  };
}
