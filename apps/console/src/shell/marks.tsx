import type { MeterSummary } from "@meterkeep/api";
import { IconLock, IconLockOpen, IconShieldCheck } from "@tabler/icons-react";
import { useLive } from "../live/live-context.tsx";
import { TRUST_LOOKS, type Trust, trustPath } from "../town/trust.ts";

/** The trust of a source: its shape and its word. */
export function TrustMark({ trust, size = 14 }: { trust: Trust; size?: number }) {
  const look = TRUST_LOOKS[trust];
  return (
    <span className={`trust-mark tone-${look.tone}`}>
      <TrustShape trust={trust} size={size} />
      {look.word}
    </span>
  );
}

export function TrustShape({ trust, size }: { trust: Trust; size: number }) {
  const look = TRUST_LOOKS[trust];
  return (
    <svg
      width={size}
      height={size}
      viewBox="-10 -10 20 20"
      aria-hidden="true"
      className={`trust-shape tone-${look.tone}`}
    >
      <path d={trustPath(trust, 7.6)} className={`outline-${look.outline}`} />
      {look.outline === "double" ? <path d={trustPath(trust, 3.4)} className="inner" /> : null}
    </svg>
  );
}

/** That a number comes from the virtual town. */
export function SimulatedMark() {
  return <span className="mark simulated">simulated</span>;
}

/** Beside times that are people's and machines', where the meters' own time runs at another pace. */
export function WallClock() {
  const differs = useLive(({ clock }) => clock?.simulated === true && clock.factor !== 1);
  return differs ? <span className="dim">wall clock</span> : null;
}

/** Beside times that are the meters' own, where these are simulated. */
export function TownClockMark() {
  return useLive(({ clock }) => clock?.simulated === true) ? <span className="dim">simulated time</span> : null;
}

const PROTECTION = {
  authenticated: { word: "authenticated", Icon: IconShieldCheck, says: "its tag was verified" },
  confidential: { word: "confidential only", Icon: IconLock, says: "encrypted, but anybody could have changed it" },
  none: { word: "in clear", Icon: IconLockOpen, says: "neither encrypted nor authenticated" },
} as const;

export function ProtectionMark({ protection }: { protection: NonNullable<MeterSummary["protection"]> }) {
  const { word, Icon, says } = PROTECTION[protection];
  return (
    <span className="mark" title={says}>
      <Icon size={13} aria-hidden />
      {word}
    </span>
  );
}
