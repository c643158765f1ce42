/** How long the event loop was held up at most, in milliseconds. */
export interface HeldUp {
  /** As whoever waits for an answer sees it. */
  readonly mostMilliseconds: number;
  /** Of a time that it was held up, what this thread computed itself: the rest belongs to others on the same cores. */
  readonly mostOwnMilliseconds: number;
  readonly p99Milliseconds: number;
}

const EVERY_MILLISECONDS = 1;

/** Watches the event loop of this thread until it is asked for the outcome. */
export function watchEventLoop(): () => HeldUp {
  const held: number[] = [];
  let mostOwn = 0;
  let [wall, cpu] = [performance.now(), cpuMilliseconds()];
  const timer = setInterval(() => {
    const [wallNow, cpuNow] = [performance.now(), cpuMilliseconds()];
    const late = wallNow - wall - EVERY_MILLISECONDS;
    held.push(late);
    mostOwn = Math.max(mostOwn, Math.min(late, cpuNow - cpu));
    [wall, cpu] = [wallNow, cpuNow];
  }, EVERY_MILLISECONDS);
  return () => {
    clearInterval(timer);
    held.sort((one, other) => one - other);
    const p99Milliseconds = held[Math.floor((held.length - 1) * 0.99)] ?? 0;
    return { mostMilliseconds: held.at(-1) ?? 0, mostOwnMilliseconds: mostOwn, p99Milliseconds };
  };
}

function cpuMilliseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
