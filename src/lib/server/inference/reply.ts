/** Takes a streamed answer's bytes. */
export interface ReplySink {
  /** False asks for a pause until `resume()`. */
  write(bytes: Uint8Array): boolean;
  end(): void;
}

/** The way from a sink back to where its bytes come from. Both calls are harmless after the end. */
export interface ReplyFlow {
  resume(): void;
  /** Nobody reads any more: drops the worker's answer. */
  cancel(): void;
}

/** A good answer, before it is known whether a web `Response` or a socket takes it. It must be taken once, at once. */
export class Reply {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | ((sink: ReplySink) => ReplyFlow);

  constructor(headers: Readonly<Record<string, string>>, body: string | ((sink: ReplySink) => ReplyFlow)) {
    this.headers = headers;
    this.body = body;
  }

  toResponse(): Response {
    const { headers, body } = this;
    if (typeof body === "string") return new Response(body, { headers });
    let flow: ReplyFlow;
    let open = true;
    const stream = new ReadableStream<Uint8Array>(
      {
        start(controller) {
          flow = body({
            write(bytes) {
              if (!open) return true;
              controller.enqueue(bytes);
              return (controller.desiredSize ?? 0) > 0;
            },
            end() {
              if (open) controller.close();
              open = false;
            },
          });
        },
        pull() {
          flow.resume();
        },
        cancel() {
          open = false;
          flow.cancel();
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: 64 * 1024 }),
    );
    return new Response(stream, { headers });
  }
}
