import type { CustodianRequest, CustodianResponse } from "@meterkeep/api/custodian";
import { fromHex, systemTitleText } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { weakness } from "../keys/key-hygiene.ts";
import { stateChange } from "../keys/key-state-change.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import type { Rotations } from "../rotation/rotations.ts";
import type { Recipient } from "../shipment/recipient.ts";
import { ShipmentRefusal } from "../shipment/refusal.ts";
import { openSealedChild } from "../shipment/sealed-keys.ts";
import type { Committer } from "../store/committer.ts";
import { CHILD, type KeyRecord } from "../store/records.ts";
import { newestDefaults } from "../takeover/child-requests.ts";
import { settledKeys } from "../takeover/settled-keys.ts";
import type { Vault } from "../vault/vault.ts";

/** What the key of a device is taken in with. */
export interface ChildDependencies {
  readonly files: Pick<CheckedFiles, "load">;
  readonly committer: Pick<Committer, "submit">;
  readonly vault: Pick<Vault, "seal" | "checkValues">;
  readonly rotations: Pick<Rotations, "plan">;
  readonly recipient: Recipient;
  readonly now: () => number;
  /** Whoever has a say in it has said so. @throws CallRefusal `approval-required` */
  readonly agreed: (child: {
    readonly meter: string;
    readonly channel: number;
    readonly check: string;
  }) => Promise<void>;
}

/** Kind of the entry of a device whose default key somebody sealed to the custodian. */
export const CHILD_INSTALLED = "child-installed";

/**
 * Takes in the default key of a device at one of a meter's M-Bus channels, and plans the rotation that gives device and meter a key of
 * ours: under new working keys, so that nobody who had the old ones reads along. Another device at a channel supersedes the one before.
 *
 * @throws CallRefusal `unknown-meter`, `meter-not-taken-over`, `keys-unsettled`, `request-malformed`, `approval-required`
 */
export async function installChild(
  { files, committer, vault, rotations, recipient, now, agreed }: ChildDependencies,
  { meter, sealed }: CustodianRequest<"installChild">,
  caller: Caller,
): Promise<CustodianResponse<"installChild">> {
  const title = systemTitleText(meter);
  const file = await files.load(title);
  if (file === undefined) throw new CallRefusal("unknown-meter", `meter ${title} is not in custody`);
  settledKeys(file);
  const { client: channel, key } = await openedChild(sealed, title, recipient);
  using secret = key;
  const checkValues = await vault.checkValues([secret]);
  await agreed({ meter: title, channel, check: Buffer.from(checkValues[0] as Uint8Array).toString("hex") });
  const before = newestDefaults(file.keys).find(({ setup }) => setup === channel);
  const version = (before?.version ?? 0) + 1;
  const { utility, island, systemTitle } = file.meter;
  const place = { utility, island, systemTitle, setup: channel };
  const named = { ...place, purpose: CHILD.default, version };
  const [octets] = await vault.seal([{ place: { ...named, systemTitle: fromHex(systemTitle) }, key: secret }]);
  const at = now();
  const record: KeyRecord = {
    ...named,
    state: "active",
    origin: "imported",
    sealed: octets as Uint8Array,
    createdAt: at,
    provenAt: undefined,
  };
  const weak = weakness(secret, CHILD.default);
  const superseded = stateChange(
    before === undefined ? [] : [before],
    "deactivated",
    caller.name,
    at,
    `another device is at M-Bus channel ${channel}`,
  );
  await committer.submit({
    writes: [...superseded.writes, { kind: "add-keys", keys: [record], checkValues }],
    entries: [
      ...superseded.entries,
      {
        at,
        kind: CHILD_INSTALLED,
        principal: caller.name,
        utility,
        island,
        meter: systemTitle,
        body: { channel, version, ...(weak !== undefined && { weak }) },
      },
    ],
  });
  const reason = `the device at M-Bus channel ${channel} gets a key of its own`;
  const asked = { meters: [meter], madeBefore: undefined, purposes: WORKING, cause: "demand", reason } as const;
  const { planned } = await rotations.plan({ ...asked, purposes: [...WORKING] }, caller);
  return { channel, planned: planned > 0, warning: weak };
}

const WORKING = ["GUEK", "GBEK", "GAK"] as const;

async function openedChild(sealed: string, title: string, recipient: Recipient) {
  try {
    return await openSealedChild(sealed, title, recipient);
  } catch (cause) {
    if (cause instanceof ShipmentRefusal) throw new CallRefusal("request-malformed", cause.message, { cause });
    throw cause;
  }
}
