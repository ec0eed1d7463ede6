/** The channel to the queen that started this hive. */
export interface ParentChannel {
  listening(port: number): void;
  /** Calls back when the queen is gone, at once when it already is. */
  onGone(action: () => void): void;
}

/** The channel that Node gives a child process. A hive that should have one but has not is alone already. */
export function ipcParent(): ParentChannel {
  return {
    listening: (port) => {
      if (process.connected) process.send?.({ type: "listening", port }, undefined, undefined, () => {});
    },
    onGone: (action) => {
      if (!process.connected) {
        setImmediate(action);
        return;
      }
      process.once("disconnect", action);
    },
  };
}
