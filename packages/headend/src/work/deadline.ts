/** A signal that ends with another one or when its time is up. It must be disposed of. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * Ends after so long, or with `closing`. Unlike a composite signal with a timeout of its own, it leaves nothing behind when it
 * is disposed of: hundreds of sessions a second would otherwise keep a timer each for minutes.
 */
export function deadline(closing: AbortSignal, milliseconds: number): Deadline {
  const controller = new AbortController();
  const end = (): void => controller.abort(closing.reason);
  const late = (): void => controller.abort(new DOMException(`it took longer than ${milliseconds} ms`, "TimeoutError"));
  const timer = setTimeout(late, milliseconds);
  timer.unref();
  if (closing.aborted) end();
  else closing.addEventListener("abort", end, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      closing.removeEventListener("abort", end);
    },
  };
}
