import type { Meter, MeterId } from "../inventory/meter.ts";
import { backoffSeconds } from "./backoff.ts";
import {
  LANES,
  type Lane,
  type Lease,
  type LeaseRef,
  type NextDue,
  ON_DEMAND_SECONDS,
  type OnDemand,
  READING_SHARE,
  type WorkQueue,
} from "./lease.ts";

interface Item {
  readonly meter: Meter;
  lane: Lane;
  dueAt: number;
  attempts: number;
  onDemand: OnDemand | undefined;
  askedAt: number;
  epoch: bigint;
  leasedUntil: number | undefined;
  /** Asked for while it was leased. */
  again: boolean;
  owner: string;
}

/** A queue that lasts as long as the process: for tests, and the yardstick of the contract. */
export function memoryWorkQueue(meters: readonly Meter[]): WorkQueue {
  const items = new Map<MeterId, Item>();
  const get = (meter: MeterId): Item | undefined => items.get(meter);
  const isFree = (item: Item, now: number): boolean => item.leasedUntil === undefined || item.leasedUntil <= now;
  return {
    async lease(owner, { any, onDemand }, now, leaseSeconds) {
      const due = [...items.values()]
        .filter((item) => item.dueAt <= now && isFree(item, now))
        .sort((a, b) => a.lane - b.lane || a.dueAt - b.dueAt);
      const ordinary = due.filter(({ lane }) => lane === LANES.reading);
      const share = Math.min(ordinary.length, Math.floor(any / READING_SHARE));
      const asked = due.filter(({ lane }) => lane === LANES.onDemand).slice(0, any - share + onDemand);
      const takeovers = due
        .filter(({ lane }) => lane === LANES.takeover)
        .slice(0, Math.max(0, any - share - asked.length));
      const left = Math.max(share, any - asked.length - takeovers.length);
      return [...asked, ...takeovers, ...ordinary.slice(0, left)].map((item) => {
        if (item.askedAt < now - ON_DEMAND_SECONDS * 1000) item.onDemand = undefined;
        item.epoch += 1n;
        if (item.leasedUntil !== undefined) item.attempts += 1;
        item.leasedUntil = now + leaseSeconds * 1000;
        item.owner = owner;
        item.again = false;
        return leaseOf(item);
      });
    },
    async enrol(ids, at, lane) {
      for (const id of ids) {
        const meter = meters.find((candidate) => candidate.id === id);
        if (meter !== undefined && !items.has(id)) items.set(id, { ...newItem(meter), dueAt: at, lane });
      }
    },
    async release(ref: LeaseRef, next: NextDue) {
      const item = get(ref.meter);
      if (item === undefined || item.epoch !== ref.epoch || item.leasedUntil === undefined) return false;
      const { again } = item;
      item.dueAt = again ? Math.min(item.dueAt, next.dueAt) : next.dueAt;
      item.lane = again ? (Math.min(item.lane, next.lane) as Lane) : next.lane;
      item.onDemand = again ? item.onDemand : next.onDemand;
      item.attempts = next.attempts;
      item.again = false;
      item.leasedUntil = undefined;
      return true;
    },
    async abandon(owner, held, now) {
      for (const item of items.values()) {
        if (item.leasedUntil === undefined || item.owner !== owner || held.includes(item.meter.id)) continue;
        item.leasedUntil = undefined;
        item.attempts += 1;
        item.dueAt = Math.max(item.dueAt, now + backoffSeconds(item.attempts, 0) * 1000);
      }
    },
    async due(ids, at, lane, onDemand) {
      for (const id of ids) {
        const meter = meters.find((candidate) => candidate.id === id);
        if (meter === undefined) continue;
        const item = get(id) ?? newItem(meter);
        items.set(id, item);
        item.dueAt = Math.min(item.dueAt, at);
        item.lane = Math.min(item.lane, lane) as Lane;
        item.onDemand = onDemand ?? item.onDemand;
        if (onDemand !== undefined) item.askedAt = at;
        item.again = item.leasedUntil !== undefined;
      }
    },
    async nextDue() {
      const dues = [...items.values()].filter((item) => item.leasedUntil === undefined).map((item) => item.dueAt);
      const first = Math.min(...dues);
      return Number.isFinite(first) ? first : undefined;
    },
  };
}

function newItem(meter: Meter): Item {
  return {
    meter,
    lane: 2,
    dueAt: Number.POSITIVE_INFINITY,
    attempts: 0,
    onDemand: undefined,
    askedAt: 0,
    epoch: 0n,
    leasedUntil: undefined,
    again: false,
    owner: "",
  };
}

function leaseOf(item: Item): Lease {
  return {
    meter: item.meter,
    epoch: item.epoch,
    lane: item.lane,
    attempts: item.attempts,
    onDemand: item.onDemand,
    takeover: { phase: "not-started", verdict: "pending" },
    trust: { state: "held", reason: "shipped" },
    trustHistory: [],
    gaps: [],
  };
}
