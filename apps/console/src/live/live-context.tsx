/** Gives the pages the live store. */
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { timeFormat } from "../format/time.ts";
import type { LiveSnapshot, LiveStore } from "./live-store.ts";
import { townTime } from "./town-clock.ts";

const LiveContext = createContext<LiveStore | undefined>(undefined);

export function LiveProvider({ store, children }: { store: LiveStore; children: ReactNode }) {
  return <LiveContext value={store}>{children}</LiveContext>;
}

export function useLiveStore(): LiveStore {
  const store = useContext(LiveContext);
  if (store === undefined) throw new Error("LiveProvider is missing above this component");
  return store;
}

/** One part of the live snapshot; draws again only when that part changed. */
export function useLive<T>(select: (snapshot: LiveSnapshot) => T): T {
  const store = useLiveStore();
  return useSyncExternalStore(store.subscribe, () => select(store.snapshot()));
}

/** Town time now, ms; moves once a second while the stream is live and stands still when it is lost. */
export function useTownTime(): number | undefined {
  const clock = useLive((live) => live.clock);
  const lost = useLive((live) => live.connection === "lost");
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (lost) return;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [lost]);
  return clock === undefined ? undefined : townTime(clock, Math.max(now, clock.heardAt));
}

/** Times in the zone of the reader's machine. */
export const localTime = timeFormat();
