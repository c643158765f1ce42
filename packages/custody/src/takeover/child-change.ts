/**
 * Where the change of an M-Bus child's key stands (class 72): `wanted` until a new one is sent; `handing` while the meter passes it
 * on to its device, wrapped under the device's default key; `setting` while the meter is given it for its own use; `settled` then,
 * or when no more can be done.
 *
 * The two acts are two: in between, and where an answer is missing, device and meter may hold different keys, and readings of the
 * device stay closed to the meter. What is in doubt is given anew, both ways, and never a value that was sent before; the default
 * key, which nothing here changes, opens the device for that always.
 */
export interface ChildChange {
  readonly channel: number;
  readonly state: "wanted" | "handing" | "setting" | "settled";
  /** Versions that may be on the device or its meter, the likeliest first; none before the first. */
  readonly belief: readonly number[];
  readonly nextVersion: number;
  /** Values that were sent since it was wanted. */
  readonly sent: number;
  /** What is not proven of it, once nothing more is tried: a child's key never is. */
  readonly unproven?: string | undefined;
}

/** A child whose key is to be changed, by what may be on it now. */
export function childWantedAnew({
  channel,
  belief,
  nextVersion,
}: Pick<ChildChange, "channel" | "belief" | "nextVersion">): ChildChange {
  return { channel, state: "wanted", belief, nextVersion, sent: 0 };
}
