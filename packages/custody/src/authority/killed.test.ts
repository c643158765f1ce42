import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "@meterkeep/dlms";
import type { Operation } from "@meterkeep/guard";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { AuthorityWorld, DISCONNECT, OPERATOR, type Person, RECONNECT } from "../testing/authority-world.ts";
import { Crash, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import type { TestMeter } from "../testing/test-meter.ts";
import { hashOf } from "./manifests.ts";

const DISCONNECT_APDU = fromHex("c301c10046000060030aff01010f00");
const RECONNECT_APDU = fromHex("c301c10046000060030aff02010f00");
const MINUTE = 60_000;
const DAY = 86_400_000;
const MOST_TRIES = 5;

/** A scene of an authority's life; whoever plays it begins a step anew when the custodian dies in it. */
class Scene {
  readonly world: AuthorityWorld;
  readonly custody: TestCustody;
  crashes = 0;

  constructor(world: AuthorityWorld) {
    this.world = world;
    this.custody = world.custody;
  }

  /** Does a step until it is done: what a person does who gets no answer, looks, and tries again. */
  async until(isDone: () => Promise<boolean>, step: () => Promise<unknown>, pause = MINUTE): Promise<void> {
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      if (await isDone()) return;
      if (tries > 0) this.custody.now += pause;
      try {
        await step();
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        this.crashes += 1;
        await this.custody.restart();
      }
    }
    assert.fail(`it does not end: ${await this.world.lastRefusal()}`);
  }

  state() {
    return this.world.service.authorityState({}, OPERATOR);
  }

  /** Plans a change once and has both approve it. */
  async change(kind: string, body: unknown, isDone: () => Promise<boolean>): Promise<void> {
    const { world } = this;
    const find = async () =>
      (await world.service.changes({ limit: 10 }, OPERATOR)).changes.find((one) => one.kind === kind);
    await this.until(
      async () => (await find()) !== undefined,
      () => world.plan(kind, body),
    );
    for (const who of [world.anna, world.ben])
      await this.until(
        async () => (await isDone()) || ((await find())?.approvedBy.includes(who.name) ?? false),
        async () => world.approve((await find())?.hash ?? "", who),
      );
    assert.ok(await isDone(), `${kind} was approved by both`);
    assert.equal((await find())?.state, "executed");
  }

  async enrol(who: Person): Promise<void> {
    await this.until(
      async () => (await this.state()).approvers.some(({ id }) => id === who.id),
      () => this.world.enrol(who),
    );
  }

  /** Has a command approved and carried out. */
  async command(meter: TestMeter, operation: Operation, apdu: Uint8Array, supply: TestMeter["supply"]): Promise<void> {
    const { world } = this;
    const octets = world.manifest(operation, [meter.systemTitle], { notAfter: this.custody.now + 6 * DAY });
    const hash = hashOf(octets);
    const find = async () =>
      (await world.service.manifests({ limit: 10 }, OPERATOR)).manifests.find((one) => one.hash === hash);
    await this.until(
      async () => (await find()) !== undefined,
      () => world.submit(octets),
    );
    for (const who of [world.anna, world.ben])
      await this.until(
        async () => (await find())?.approvedBy.includes(who.name) ?? false,
        () => world.approve(hash, who),
      );
    // A token is used once, and whether the meter has taken what was sealed is seen at the meter: what is done is not asked
    // for again, and a session with it settles what it took.
    await this.until(
      async () => meter.supply === supply && (await find())?.progress.open === 0,
      () =>
        meter.supply === supply
          ? world.session(meter)
          : world.command(meter, apdu, world.token(hash, meter.systemTitle)),
      // In a small town one or two may be switched off a day, also where it is not known that they were.
      DAY + MINUTE,
    );
  }
}

/** The whole of it: people, a policy service, a command and its token, freeze and thaw, and a second command. */
async function play(scene: Scene, meter: TestMeter): Promise<void> {
  const { world } = scene;
  await scene.enrol(world.anna);
  await scene.enrol(world.ben);
  const publicKey = Buffer.from(world.policy.publicKey).toString("hex");
  await scene.change("enrol-policy-service", { name: "policy", publicKey }, async () =>
    (await scene.state()).policyServices.some(({ name }) => name === "policy"),
  );
  await scene.command(meter, DISCONNECT, DISCONNECT_APDU, "disconnected");
  await scene.until(
    async () => (await scene.state()).frozen !== undefined,
    () => world.service.freeze({ reason: "a test" }, OPERATOR),
  );
  const { frozen } = await scene.state();
  await scene.change("thaw", { since: frozen?.since }, async () => (await scene.state()).frozen === undefined);
  await scene.command(meter, RECONNECT, RECONNECT_APDU, "connected");
}

/** Of which two may be switched off a day, and four in 30. */
const SMALL_TOWN = 20;

async function played(at: number | undefined, when: "before" | "after"): Promise<number> {
  let commits = 0;
  await withTestCustody(
    async (custody) => {
      const world = AuthorityWorld.unfounded(custody);
      const scene = new Scene(world);
      const meter = await world.meter(7);
      custody.crashAt(at, when);
      await play(scene, meter);
      commits = custody.commits;
      const told = `killed ${when} commit ${at}`;
      assert.equal(scene.crashes, at === undefined ? 0 : 1, told);

      const state = await scene.state();
      assert.deepEqual([state.trouble, state.frozen, state.unsettled], [undefined, undefined, 0], told);
      assert.deepEqual(
        state.approvers.map(({ name }) => name),
        ["Anna", "Ben"],
        told,
      );
      assert.equal(meter.supply, "connected");
      const entries = await custody.store.ledger.read(0, 10_000);
      const of = (kind: string) => entries.filter((entry) => entry.kind === kind).map(({ body }) => JSON.parse(body));
      // Nothing was sealed that no entry says, and every seal has been settled by what the meter showed.
      const sealed = of("critical-sealed");
      const { manifests } = await world.service.manifests({ limit: 10 }, OPERATOR);
      const settled = manifests.map(({ progress: { executed, superseded } }) => executed + superseded);
      assert.equal(
        settled.reduce((sum, count) => sum + count, 0),
        sealed.length,
        told,
      );
      assert.ok(
        manifests.every(({ progress: { executed } }) => executed <= 1),
        told,
      );
      assert.equal(new Set(sealed.map(({ nonce }) => nonce)).size, sealed.length);
      for (const kind of ["enrol-policy-service", "thaw"])
        assert.equal(of("change-executed").filter((body) => body.kind === kind).length, 1, `${told}: ${kind} once`);
      // The document is the last one that the ledger knows: a start takes it as sound.
      await custody.restart();
      assert.equal((await scene.state()).trouble, undefined, told);
    },
    { ...memoryCustodyStore(), provenMeterCount: async () => SMALL_TOWN },
  );
  return commits;
}

test("a custodian that is killed at any commit of an authority's life goes on where it stood, and does nothing twice", async () => {
  const commits = await played(undefined, "before");
  assert.ok(commits > 20, `${commits} commits`);
  for (let at = 0; at < commits; at += 1) for (const when of ["before", "after"] as const) await played(at, when);
});
