import assert from "node:assert/strict";
import { test } from "node:test";
import { data, encode, fromHex, toHex } from "@meterkeep/dlms";
import { DEFAULT_COMMAND_RULES, type Operation } from "@meterkeep/guard";
import { AuthorityWorld, DISCONNECT, OPERATOR, person } from "../testing/authority-world.ts";
import { withTestCustody } from "../testing/test-custody.ts";

const DISCONNECT_APDU = fromHex("c301c10046000060030aff01010f00");
const LIMITER = "0000110000ff";

test("MC-21: what nobody can live on is not sealed, nor a destination that is not on the list, whoever approved it and however it is written", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await world.meter(1);
    const threshold = (value: number): string => toHex(encode(data, { type: "double-long-unsigned", value }));
    const spelled: Operation = {
      kind: "acts",
      acts: [
        { service: "set", classId: 71, instance: LIMITER, member: 4, value: { kind: "exact", octets: threshold(0) } },
      ],
    };
    const named: Operation = {
      ...{ kind: "limiter-threshold", instance: LIMITER, which: "normal", type: "double-long-unsigned" },
      threshold: 0,
    };
    for (const operation of [named, spelled]) {
      const hash = await world.approved(operation, [meter.systemTitle]);
      const apdu = fromHex(`c101c10047${LIMITER}0400${threshold(0)}`);
      assert.equal((await world.command(meter, apdu, world.token(hash, meter.systemTitle), false)).kind, "refused");
      assert.match(await world.lastRefusal(), /0 W is less than 500 W.*MC-21/);
    }
    const destination = toHex(
      encode(data, {
        type: "structure",
        value: [
          { type: "enum", value: 0 },
          { type: "octet-string", value: new TextEncoder().encode("elsewhere:4059") },
          { type: "enum", value: 0 },
        ],
      }),
    );
    const setup = { instance: "0000190900ff", transport: 0, destination: "elsewhere:4059", message: 0 } as const;
    const hash = await world.approved({ kind: "push-destination", ...setup }, [meter.systemTitle]);
    const run = () =>
      world.command(
        meter,
        fromHex(`c101c100280000190900ff0300${destination}`),
        world.token(hash, meter.systemTitle),
        false,
      );
    const present = JSON.parse((await world.service.authorityState({}, OPERATOR)).thresholds);
    const commands = { ...DEFAULT_COMMAND_RULES, pushDestinations: ["ours:4059"] };
    await world.change("tighten-thresholds", { thresholds: JSON.stringify({ ...present, commands }) }, world.anna);
    assert.equal((await run()).kind, "refused");
    assert.match(await world.lastRefusal(), /elsewhere:4059 is not on the list.*MC-21/);
  }));

test("MC-10: what is switched off without a work order takes three people at the custodian, be it one home", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const cleo = person("Cleo", "audit");
    const { change } = await world.enrol(cleo);
    for (const who of [world.anna, world.ben]) await world.approve(change ?? "", who);
    const meter = await world.meter(2);
    const hash = await world.approved(DISCONNECT, [meter.systemTitle], { workOrder: "" });
    const run = () => world.command(meter, DISCONNECT_APDU, world.token(hash, meter.systemTitle));
    assert.equal((await run()).kind, "refused");
    assert.match(await world.lastRefusal(), /2 of 3 people/);
    await world.approve(hash, cleo);
    assert.equal((await run()).kind, "sealed");
  }));

test("MC-07: what is grave for a meter that the manifest says is not believed takes one person more", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await world.meter(1);
    const { hash } = await world.submit(world.manifest(DISCONNECT, [meter.systemTitle], { doubted: 1 }));
    await world.approve(hash, world.anna);
    const run = () => world.command(meter, DISCONNECT_APDU, world.token(hash, meter.systemTitle));
    assert.equal((await run()).kind, "refused");
    assert.match(await world.lastRefusal(), /1 of 2 people/);
    await world.approve(hash, world.ben);
    assert.equal((await run()).kind, "sealed");
  }));
