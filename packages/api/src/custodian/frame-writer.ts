import { framed } from "./frame-stream.ts";

/** Where frames go: a socket, narrowed. */
export interface FrameSink {
  readonly destroyed: boolean;
  write(octets: Uint8Array): boolean;
}

/** Writes what is queued within one turn of the event loop at once: one TLS record carries many small frames. */
export class FrameWriter {
  readonly #sink: FrameSink;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Octets that the socket has not been given yet. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  write(frame: Uint8Array): void {
    this.#queue.push(framed(frame));
    this.#queuedBytes += frame.length;
    if (this.#queue.length === 1) setImmediate(() => this.flush());
  }

  /** Writes what is queued now. */
  flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    if (queue.length > 0 && !this.#sink.destroyed) this.#sink.write(Buffer.concat(queue));
  }
}
