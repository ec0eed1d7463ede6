import type { FleetHistory, FleetSnapshot, HealthTransition, Role } from "@rbee/contract";

/** Frames that may wait for a viewer before frames are left out for them. */
const framesBuffered = 4;
/** A viewer that takes nothing for this long is gone without having said so. */
const framesMissedUntilDropped = 60;
const pingEveryMs = 15_000;

const encoder = new TextEncoder();
const event = (name: string, data: unknown) => encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);

interface Viewer {
  readonly role: Role;
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  readonly leave: () => void;
  missed: number;
}

/** The live view of the fleet for everybody who looks: each state is encoded once for each role, not once a viewer. */
export interface FleetStream {
  open(role: Role, signal: AbortSignal): ReadableStream<Uint8Array>;
  /** Sends the fleet as it is now. */
  publish(): void;
  transition(transition: HealthTransition): void;
  /** Ends every stream. */
  close(): void;
}

export function createFleetStream(options: {
  snapshot: (role: Role) => FleetSnapshot;
  history: () => FleetHistory;
  now: () => number;
}): FleetStream {
  const { snapshot, history, now } = options;
  const viewers = new Set<Viewer>();
  let pingedAt = now();
  let closed = false;

  const drop = (viewer: Viewer) => {
    if (!viewers.delete(viewer)) return;
    viewer.leave();
    try {
      viewer.controller.close();
    } catch {
      // The reader has cancelled already.
    }
  };
  const send = (viewer: Viewer, frame: Uint8Array) => {
    if ((viewer.controller.desiredSize ?? 0) > 0) {
      viewer.missed = 0;
      viewer.controller.enqueue(frame);
    } else if (++viewer.missed > framesMissedUntilDropped) drop(viewer);
  };
  const publish = () => {
    const frames = new Map<Role, Uint8Array>();
    for (const viewer of viewers) {
      const frame = frames.get(viewer.role) ?? event("fleet", snapshot(viewer.role));
      frames.set(viewer.role, frame);
      send(viewer, frame);
    }
    if (now() - pingedAt < pingEveryMs) return;
    pingedAt = now();
    const ping = encoder.encode(": ping\n\n");
    for (const viewer of viewers) send(viewer, ping);
  };

  return {
    open(role, signal) {
      let viewer: Viewer | undefined;
      return new ReadableStream<Uint8Array>(
        {
          start(controller) {
            if (closed || signal.aborted) {
              controller.close();
              return;
            }
            const onAbort = () => {
              drop(joined);
            };
            const leave = () => {
              signal.removeEventListener("abort", onAbort);
            };
            const joined: Viewer = { role, controller, leave, missed: 0 };
            viewer = joined;
            viewers.add(joined);
            signal.addEventListener("abort", onAbort, { once: true });
            controller.enqueue(event("history", history()));
            controller.enqueue(event("fleet", snapshot(role)));
          },
          cancel() {
            if (viewer !== undefined) drop(viewer);
          },
        },
        new CountQueuingStrategy({ highWaterMark: framesBuffered }),
      );
    },
    publish,
    transition(transition) {
      if (viewers.size === 0) return;
      const frame = event("transition", transition);
      for (const viewer of viewers) send(viewer, frame);
      publish();
    },
    close() {
      closed = true;
      for (const viewer of viewers) drop(viewer);
    },
  };
}
