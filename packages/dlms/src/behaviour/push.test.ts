import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "../codec/codec.ts";
import { DataClass } from "../cosem/classes/data-class.ts";
import { PushSetup, PushSetupV1, PushSetupV2, PushSetupV3 } from "../cosem/classes/push-setup.ts";
import { data } from "../data/data.ts";
import { dateTime, dateTimeAt } from "../data/date-time.ts";
import type { Data } from "../data/value.ts";
import { ObjectTree } from "./object-tree.ts";
import { ProfileBuffer, serveProfileBuffer } from "./profile-buffer.ts";
import { pushBody } from "./push-body.ts";
import { type DeliveryEvent, type DeliverySettings, type DeliveryState, stepDelivery } from "./push-delivery.ts";
import { deliveryOf, type PushSettings, servePushSetup } from "./push-setup.ts";
import { askFor } from "./testing.test.ts";

const SETTINGS: DeliverySettings = {
  communicationWindow: [],
  randomisationStartInterval: 100,
  numberOfRetries: 2,
  repetitionDelay: { min: 10, exponent: 200, max: 15 },
  deliveredWhen: "sent",
};

function delivery(settings: Partial<DeliverySettings> = {}) {
  let state: DeliveryState = { kind: "idle" };
  return (kind: DeliveryEvent["kind"], second = 0, random = 0.5): string => {
    const event = { kind, at: second * 1000, random } as DeliveryEvent;
    const [next, ...effects] = stepDelivery(state, event, { ...SETTINGS, ...settings }, (at) => dateTimeAt(at));
    state = next;
    return [next.kind, ...effects].join(" ");
  };
}

test("a push waits its random share of the interval, and one that is asked for meanwhile is part of it", () => {
  const step = delivery();
  assert.equal(step("push", 0, 0.5), "waiting");
  assert.equal(step("push", 10, 0), "waiting");
  assert.equal(step("tick", 49), "waiting");
  assert.equal(step("tick", 50), "sending send");
  assert.equal(step("sent", 51), "idle delivered");
});

test("a push that fails is tried again after growing delays, and given up after the last retry", () => {
  const step = delivery();
  assert.equal(step("push", 0, 0), "sending send");
  assert.equal(step("failed", 1), "waiting");
  assert.equal(step("tick", 10), "waiting");
  assert.equal(step("tick", 11), "sending send");
  assert.equal(step("failed", 12), "waiting");
  assert.equal(step("tick", 26), "waiting", "twice the first delay, but at most 15 seconds");
  assert.equal(step("tick", 27), "sending send");
  assert.equal(step("failed", 28), "idle given-up");
});

test("a confirmed push is only delivered when it is confirmed, and else sent again", () => {
  const step = delivery({ deliveredWhen: "confirmed" });
  step("push", 0, 0);
  assert.equal(step("sent", 1), "sending");
  assert.equal(step("supported", 2), "sending");
  assert.equal(step("tick", 10), "sending send");
  assert.equal(step("confirmed", 11), "idle delivered");
  const other = delivery({ deliveredWhen: "confirmed", numberOfRetries: 0 });
  other("push", 0, 0);
  assert.equal(other("tick", 10), "idle given-up");
  assert.equal(other("confirmed", 11), "idle", "too late");
});

test("outside of its windows a push waits for the next one", () => {
  const at = (hour: number) => dateTime({ hour, minute: 0, second: 0 });
  const step = delivery({ communicationWindow: [{ startTime: at(1), endTime: at(2) }] });
  assert.equal(step("push", 0, 0), "waiting");
  assert.equal(step("tick", 3599), "waiting");
  assert.equal(step("tick", 3600), "sending send");
  assert.equal(step("reset"), "idle");
});

const CLOCK = { classId: 8, logicalName: "0.0.1.0.0.255", attributeIndex: 2, dataIndex: 0 };
const ENERGY = { classId: 3, logicalName: "1.0.1.8.0.255", attributeIndex: 2, dataIndex: 0 };

test("the body holds what the object list names, elements of structures and parts of profiles too", () => {
  const value: Data = {
    type: "structure",
    value: [
      { type: "unsigned", value: 1 },
      { type: "unsigned", value: 2 },
    ],
  };
  const buffer = new ProfileBuffer({
    settings: { captureObjects: [CLOCK, ENERGY], capturePeriod: 0, sortMethod: "fifo", profileEntries: 9 },
    capture: ({ classId }) => encode(data, { type: "unsigned", value: classId }),
    deviation: () => 0,
  });
  buffer.capture();
  buffer.capture();
  const tree = new ObjectTree<undefined>(
    [
      { logicalName: "0.0.96.1.0.255", served: DataClass.serve<undefined>({ get: { value: () => value } }) },
      { logicalName: "1.0.99.1.0.255", served: serveProfileBuffer<undefined>(() => buffer) },
    ],
    undefined,
  );
  const object = { classId: 1, logicalName: "0.0.96.1.0.255", attributeIndex: 2, dataIndex: 2 };
  const profile = { classId: 7, logicalName: "1.0.99.1.0.255", attributeIndex: 2, dataIndex: 0 };
  const entries: Data = {
    type: "structure",
    value: [
      { type: "long-unsigned", value: 2 },
      { type: "long-unsigned", value: 2 },
    ],
  };
  const body = pushBody(
    [
      object,
      { ...object, logicalName: "0.0.96.2.0.255" },
      { ...profile, restriction: { restrictionType: "byEntry", restrictionValue: entries } },
    ],
    tree,
  );
  assert.deepEqual(body, {
    type: "structure",
    value: [
      { type: "unsigned", value: 2 },
      { type: "null-data", value: null },
      {
        type: "array",
        value: [
          {
            type: "structure",
            value: [
              { type: "unsigned", value: 8 },
              { type: "unsigned", value: 3 },
            ],
          },
        ],
      },
    ],
  });
});

test("every version of push setup is served from the same settings", () => {
  const meter: { settings: PushSettings; pushed: number } = {
    settings: {
      pushObjectList: [ENERGY],
      destination: { transportService: "tcp", destination: new TextEncoder().encode("10.0.0.1:4059"), message: "aXdr" },
      communicationWindow: [],
      randomisationStartInterval: 900,
      numberOfRetries: 3,
      repetitionDelay: { min: 60, exponent: 100, max: 60 },
      portReference: "0.0.25.0.0.255",
      pushClientSap: 102,
      protection: [],
      operationMethod: "confirmedRetryOnMissingConfirmation",
    },
    pushed: 0,
  };
  for (const [version, declared] of [PushSetup, PushSetupV1, PushSetupV2, PushSetupV3].entries()) {
    const ask = askFor(
      declared,
      servePushSetup<undefined>(version as 0 | 1 | 2 | 3, {
        settings: () => meter.settings,
        change: (settings) => {
          meter.settings = settings;
        },
        push: () => {
          meter.pushed += 1;
        },
        reset: () => undefined,
      }),
    );
    for (const name of Object.keys(declared.attributes))
      if (name !== "logicalName") assert.notEqual(ask.get(name), "object-undefined", `version ${version} ${name}`);
    const list = ask.get("pushObjectList") as object[];
    assert.equal(ask.set("pushObjectList", list), "success");
    assert.equal(ask.set("numberOfRetries", version), "success");
    assert.equal(meter.settings.numberOfRetries, version);
    assert.equal(ask.call("push"), "success");
    if (version < 2) continue;
    const confirmation = { confirmationStartDate: dateTime({ hour: 3 }), confirmationInterval: 900 };
    assert.equal(ask.set("confirmationParameters", confirmation), "success");
    assert.deepEqual(ask.get("confirmationParameters"), confirmation);
  }
  assert.equal(meter.pushed, 4);
  assert.equal(deliveryOf(meter.settings).deliveredWhen, "confirmed");
});
