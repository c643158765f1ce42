/**
 * Receives pushes over TCP, opens them and refuses what was seen before; and sends some to itself, so that there is
 * something to see: `node examples/dlms/receive-pushes.ts`.
 */
import { createSecretKey } from "node:crypto";
import { apdu, DlmsError, dateTimeAt, encode, openPush, protectApdu, toHex } from "@meterkeep/dlms";
import { listenForPushesTcp, nodeCiphers, sendPush } from "@meterkeep/dlms-node";
import { AUTHENTICATION_KEY, ENCRYPTION_KEY, METER_TITLE } from "./keys.ts";

const keys = { encryption: createSecretKey(ENCRYPTION_KEY), authentication: AUTHENTICATION_KEY };
let lowest = 0;
let judged = (): void => {};

await using listener = await listenForPushesTcp({
  onPush({ apdu: octets }) {
    console.log(judge(octets));
    judged();
  },
});

function judge(octets: Uint8Array): string {
  try {
    const push = openPush(octets, {
      ciphers: nodeCiphers,
      keysOf: (title) => (toHex(title) === toHex(METER_TITLE) ? keys : undefined),
    });
    if (!push.authenticated || push.invocationCounter === undefined) return "refused: anybody could have made it";
    if (push.invocationCounter < lowest) return `refused: counter ${push.invocationCounter} was used before`;
    lowest = push.invocationCounter + 1;
    return `counter ${push.invocationCounter}: ${JSON.stringify(push.notification.body)}`;
  } catch (error) {
    if (!(error instanceof DlmsError)) throw error;
    return `refused: ${error.code}`;
  }
}

/** What a meter does: a data-notification with one value, sealed in general-glo-ciphering. */
function pushOf(wattHours: number, counter: number): Uint8Array {
  const plain = encode(apdu, {
    kind: "data-notification",
    value: {
      invokeIdAndPriority: {
        invokeId: counter,
        confirmed: false,
        highPriority: false,
        selfDescriptive: false,
        breakOnError: false,
      },
      dateTime: dateTimeAt(Date.UTC(2026, 10, 21)),
      body: { type: "structure", value: [{ type: "double-long-unsigned", value: wattHours }] },
    },
  });
  const control = { suite: 0, authenticated: true, encrypted: true, broadcast: false, compressed: false } as const;
  return protectApdu(nodeCiphers, keys, { form: "general-global", control, originator: METER_TITLE, counter }, plain);
}

const first = pushOf(1_234_567, 7);
const changed = pushOf(1_234_890, 9).slice();
changed[changed.length - 1]! ^= 1;
for (const octets of [first, pushOf(1_234_890, 8), first, changed]) {
  const arrived = new Promise<void>((resolve) => {
    judged = resolve;
  });
  const { host, port } = listener;
  await sendPush(octets, { transport: "tcp", host, port, sourceSap: 1, destinationSap: 1 });
  await arrived;
}
