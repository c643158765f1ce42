import { framed } from "./frame-stream.ts";

/** Where frames go: a socket, narrowed. */
export interface FrameSink {
  readonly destroyed: boolean;
  write(octets: Uint8Array): boolean;
}

/**
 * Where many take turns, a write waits so long after the one before: it costs as much as the work that most frames ask for, so
 * that hundreds of sessions share one.
 */
const PACE_MILLISECONDS = 8;

/** Writes what is queued within one turn of the event loop at once: one TLS record carries many small frames. */
export class FrameWriter {
  readonly #sink: FrameSink;
  readonly #isBusy: () => boolean;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  /** Of `performance.now()`, which no clock correction moves. */
  #writtenAt = Number.NEGATIVE_INFINITY;

  /** While it `isBusy` the writer keeps a pace; who has one thing to say after the other does not wait. */
  constructor(sink: FrameSink, isBusy: () => boolean = () => false) {
    this.#sink = sink;
    this.#isBusy = isBusy;
  }

  /** Octets that the socket has not been given yet. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  write(frame: Uint8Array): void {
    this.#queue.push(frame);
    this.#queuedBytes += frame.length;
    if (this.#queue.length > 1) return;
    const wait = this.#isBusy() ? this.#writtenAt + PACE_MILLISECONDS - performance.now() : 0;
    if (wait > 0) setTimeout(() => this.flush(), wait);
    else setImmediate(() => this.flush());
  }

  /** Writes what is queued now. */
  flush(): void {
    const queue = this.#queue;
    if (queue.length === 0) return;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#writtenAt = performance.now();
    if (!this.#sink.destroyed) this.#sink.write(framed(queue));
  }
}
