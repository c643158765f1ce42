import assert from "node:assert/strict";
import { createDecipheriv } from "node:crypto";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { clientTitles } from "../service/client-title.ts";
import { AuthorityWorld, DISCONNECT, OPERATOR, RECONNECT } from "../testing/authority-world.ts";
import { carryTakeover, HEAD_END, heldKeys, withTestCustody } from "../testing/test-custody.ts";
import type { TestMeter } from "../testing/test-meter.ts";

const READ = fromHex("c001c1000100002a0000ff0200");
const DISCONNECT_APDU = fromHex("c301c10046000060030aff01010f00");
const RECONNECT_APDU = fromHex("c301c10046000060030aff02010f00");
/** The key-set bit of the security control: the broadcast key. */
const KEY_SET = 0x40;
const GENERAL_GLOBAL = 0xdb;
const GENERAL_DEDICATED = 0xdc;
const GENERAL_CIPHERING = 0xdd;
const TAG_BYTES = 12;

/** Where the security header stands in an APDU that is ciphered under a key of the meter's, global or dedicated. */
function headerOf(apdu: Uint8Array): number | undefined {
  const [tag = 0] = apdu;
  const isGeneral = tag === GENERAL_GLOBAL || tag === GENERAL_DEDICATED;
  const isService = (tag >= 0xc8 && tag <= 0xcf) || (tag >= 0xd0 && tag <= 0xd7) || tag === 0x21;
  if (!isGeneral && !isService) return undefined;
  const length = isGeneral ? 2 + (apdu[1] as number) : 1;
  const first = apdu[length] as number;
  return length + 1 + (first > 0x80 ? first & 0x7f : 0);
}

/** Whether it opens under a key: its tag is right under any authentication key that the meter ever had. */
function opensUnder(
  apdu: Uint8Array,
  header: number,
  client: Uint8Array,
  key: Buffer,
  authenticationKeys: readonly Buffer[],
): boolean {
  const counter = apdu.subarray(header + 1, header + 5);
  const text = apdu.subarray(header + 5, apdu.length - TAG_BYTES);
  return authenticationKeys.some((own) => {
    const cipher = createDecipheriv("aes-128-gcm", key, Buffer.concat([client, counter]), { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.concat([Uint8Array.of(apdu[header] as number), own]));
    cipher.setAuthTag(apdu.subarray(apdu.length - TAG_BYTES));
    try {
      cipher.update(text);
      cipher.final();
      return true;
    } catch {
      return false;
    }
  });
}

/** Every APDU that the custodian lets go to a meter from here on. */
function listening(meter: TestMeter): readonly Uint8Array[] {
  const sent: Uint8Array[] = [];
  const connect = meter.connect.bind(meter);
  meter.connect = (client, server) => {
    const line = connect(client, server);
    return {
      exchange: (apdu) => {
        sent.push(Uint8Array.from(apdu));
        return line.exchange(apdu);
      },
    };
  };
  return sent;
}

test("nothing critical, and nothing else, is sealed under a broadcast key: not in a change of keys, a reading or a command, global or dedicated", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await world.meter(7);
    const sent = listening(meter);
    const { service } = custody.custody;
    const title = systemTitle(fromHex(meter.systemTitle));
    const one = async (operation: typeof DISCONNECT, apdu: Uint8Array) => {
      const hash = await world.approved(operation, [meter.systemTitle]);
      const sealed = await world.command(meter, apdu, world.token(hash, meter.systemTitle));
      assert.equal(sealed.kind, "sealed", JSON.stringify(sealed));
      custody.now += 86_400_000;
    };
    await one(DISCONNECT, DISCONNECT_APDU);
    await one(RECONNECT, RECONNECT_APDU);
    for (const ciphering of ["global", "dedicated"] as const) {
      const { seal, open, line, session } = await world.session(meter, ciphering);
      const [sealed] = await seal({ apdu: READ, token: undefined });
      assert.ok(sealed?.kind === "sealed");
      await open(line.exchange(sealed.apdu));
      await service.closeSession({ session, outcome: "completed" }, HEAD_END);
    }
    await service.planRotations(
      { meters: [title], madeBefore: undefined, purposes: [], cause: "demand", reason: "a test" },
      OPERATOR,
    );
    await carryTakeover(custody, meter);
    const keys = (await heldKeys(custody, meter)).map((all) => all.map((key) => Buffer.from(key, "hex")));
    const client = clientTitles(custody.custody.recipient.keyId)("stadtwerke");
    const [unicast = [], broadcast = [], authentication = []] = keys;
    assert.ok(broadcast.length >= 3, "spare broadcast keys proved the masters");
    let underUnicast = 0;
    for (const apdu of sent) {
      const header = headerOf(apdu);
      if (header === undefined) {
        // An AARQ, a release, or what is ciphered under a key that was agreed on for it alone.
        assert.ok([0x60, 0x62, GENERAL_CIPHERING].includes(apdu[0] as number) || apdu[0] === 0xc0, String(apdu[0]));
        continue;
      }
      assert.equal((apdu[header] as number) & KEY_SET, 0, Buffer.from(apdu).toString("hex"));
      const opens = (key: Buffer) => opensUnder(apdu, header, client, key, authentication);
      assert.equal(broadcast.some(opens), false, "it opens under a broadcast key");
      if (unicast.some(opens)) underUnicast += 1;
    }
    assert.ok(underUnicast > 10, `${underUnicast} APDUs under the unicast key: this listens to too little`);
  }));

test("what somebody sealed under a broadcast key is neither sealed again nor taken for the meter's", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await world.meter(7);
    const { seal } = await world.session(meter);
    // general-glo-ciphering and a service of its own, with the key-set bit.
    const asked = [
      "db084d4b56000000000112f0000000014113 12ff935a47566827c467bc",
      "cb12700000000141 1312ff935a47566827c467bc",
    ];
    for (const hex of asked) {
      const octets = fromHex(hex.replaceAll(" ", ""));
      assert.equal((await seal({ apdu: octets, token: undefined }))[0]?.kind, "refused");
    }
    const push = Uint8Array.from(meter.push("authenticated"));
    const header = headerOf(push) as number;
    push[header] = (push[header] as number) | KEY_SET;
    const [opened] = await custody.custody.service.openPush({ items: [{ apdu: push, transport: "tcp" }] }, HEAD_END);
    assert.equal(opened?.kind, "refused");
  }));
