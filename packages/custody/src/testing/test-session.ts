import assert from "node:assert/strict";
import type { CustodianRequest } from "@meterkeep/api/custodian";
import { apdu, type Data, encode, fromHex, logicalNameOctets, systemTitle } from "@meterkeep/dlms";
import { carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "./test-custody.ts";
import { type TestCharacter, TestMeter } from "./test-meter.ts";

export const TITLE = "5453540000000007";
export const LDN = { classId: 1, logicalName: "0.0.42.0.0.255", attributeId: 2 };
export const INVOKE = { invokeId: 1, confirmed: true, highPriority: true } as const;

/** A meter that is taken over and a session with it. */
export async function withSession(
  body: (parts: {
    custody: TestCustody;
    meter: TestMeter;
    session: string;
    line: ReturnType<TestMeter["connect"]>;
  }) => Promise<void>,
  character: TestCharacter = "honest",
): Promise<void> {
  await withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE, character });
    await custody.add(meter);
    await carryTakeover(custody, meter);
    const { session, line } = await openSession(custody, meter);
    await body({ custody, meter, session, line });
  });
}

/** Opens a session with a meter that is taken over. */
export async function openSession(
  custody: Pick<TestCustody, "custody">,
  meter: TestMeter,
  purpose: CustodianRequest<"openSession">["purpose"] = "read",
) {
  const { service } = custody.custody;
  const title = systemTitle(fromHex(meter.systemTitle));
  const opened = await service.openSession({ meter: title, purpose }, HEAD_END);
  const line = meter.connect(opened.clientSap, opened.serverSap);
  for (let send = opened.apdu; ; ) {
    const received = line.exchange(send) as Uint8Array;
    const advance = await service.advanceSession({ session: opened.session, received }, HEAD_END);
    if (advance.kind === "established") return { session: opened.session, line, advance };
    assert.ok(advance.kind === "send", JSON.stringify(advance));
    send = advance.apdu;
  }
}

/** The kinds of the ledger's entries, in their order. */
export const kinds = async (custody: TestCustody, from = 0) =>
  (await custody.store.ledger.read(from, 1000)).map(({ kind }) => kind);

/** An action-request, in plain octets. */
export const action = (
  classId: number,
  logicalName: string,
  methodId: number,
  parameters: Data = { type: "integer", value: 0 },
) =>
  encode(apdu, {
    kind: "action-request",
    value: {
      kind: "normal",
      value: {
        invokeIdAndPriority: INVOKE,
        method: { classId, instanceId: logicalNameOctets(logicalName), methodId },
        parameters,
      },
    },
  });
