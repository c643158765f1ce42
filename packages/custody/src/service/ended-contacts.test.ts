import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { ContactAdvance, NextContact } from "@meterkeep/api/custodian";
import { fromHex, type SystemTitle, systemTitle } from "@meterkeep/dlms";
import { nodeCiphers } from "@meterkeep/dlms-node";
import { memoryCustodyStore } from "../store/memory-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { TestCertificates } from "../testing/test-certificates.ts";
import { type CarriedMeter, caller, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { journal, lent, titles, visit, withField } from "../testing/test-field.ts";
import { TestMeter } from "../testing/test-meter.ts";

const OPERATOR = caller("operator");
const PLACE = { utility: "stadtwerke", island: "mainland" };
const TITLE = "5453540000000007";
const MINUTE = 60_000;

/** A store whose commits wait while a test holds them. */
interface HeldStore {
  readonly store: CustodyStore;
  /** Holds them from now on. @returns what resolves when one waits */
  hold(): Promise<void>;
  letGo(): void;
}

function heldStore(): HeldStore {
  const plain = memoryCustodyStore();
  let held: { readonly arrived: PromiseWithResolvers<void>; readonly over: PromiseWithResolvers<void> } | undefined;
  return {
    store: {
      ...plain,
      commit: async (...change) => {
        held?.arrived.resolve();
        await held?.over.promise;
        return plain.commit(...change);
      },
    },
    hold: () => {
      held = { arrived: Promise.withResolvers(), over: Promise.withResolvers() };
      return held.arrived.promise;
    },
    letGo: () => {
      held?.over.resolve();
      held = undefined;
    },
  };
}

/** What all four kinds of contacts are made with, and the meter that they are with. */
interface Scene {
  readonly custody: TestCustody;
  readonly held: HeldStore;
  readonly meter: CarriedMeter;
  readonly title: SystemTitle;
}

type Body = (scene: Scene) => Promise<void>;

/** A meter of suite 1 that is taken over, and enrolled then. */
function withNewMeter(body: Body): Promise<void> {
  const held = heldStore();
  const scene = async (custody: TestCustody) => {
    const root = (await custody.custody.pki.authorities.all()).find(({ profile }) => profile === "root");
    const certificates = new TestCertificates(fromHex(TITLE), root?.certificate as Uint8Array);
    const meter = new TestMeter({ systemTitle: TITLE, certificates });
    await custody.add(meter, { profile: "idis-p3", securitySuite: 1 });
    await body({ custody, held, meter, title: systemTitle(fromHex(TITLE)) });
  };
  return withTestCustody(scene, held.store, { pki: { developmentTree: PLACE } });
}

/** A meter that comes back from a lease: it is asked what it has counted, its keys change, and its log is read. */
function withLentMeter(body: Body): Promise<void> {
  const held = heldStore();
  return withField(async (custody, [meter], handheld) => {
    meter.clock = { nowMilliseconds: () => custody.now, aheadMilliseconds: 0 };
    const { lease, counters } = await lent(custody, handheld, meter);
    const { lease: id, meters } = lease.terms;
    await visit(meter, lease, counters);
    custody.now += 60 * MINUTE;
    const used = meters.map((one) => ({
      meter: one.meter,
      next: one.meter === meter.systemTitle ? counters.next : one.first,
    }));
    const returned = journal(handheld, { lease: id, used, passed: [], acts: [] });
    await custody.custody.service.returnLease({ journal: returned }, OPERATOR);
    await body({ custody, held, meter, title: titles[0] as SystemTitle });
  }, held.store);
}

/** What happens to a contact in the midst of a step: what is answered meanwhile, or else is over after it. */
type Interruption = (scene: Scene) => { readonly meanwhile: Promise<unknown> } | { readonly after: Promise<unknown> };

/** What a round has shown. */
interface Round {
  /** Steps that were interrupted, each as often as a contact comes by it. */
  readonly interrupted: ReadonlySet<string>;
  readonly steps: ReadonlySet<string>;
  readonly refusals: readonly string[];
}

/**
 * Carries octets until nothing is left to do, and interrupts each step of each contact once while its commit waits, or the one `only`
 * that goes on from there.
 */
async function carried(scene: Scene, interrupt: Interruption, only?: string): Promise<Round> {
  const { custody, held, meter, title } = scene;
  const [interrupted, steps, refusals] = [new Set<string>(), new Set<string>(), [] as string[]];
  /** What a call comes to: undefined where it was refused, since its contact was ended. */
  const midst = async <T>(name: string, call: () => Promise<T>): Promise<T | undefined> => {
    if (only === undefined ? interrupted.has(name) : interrupted.size > 0 || !name.startsWith(only)) return call();
    const waiting = held.hold();
    const answer = call();
    const settled = answer.then(
      () => undefined,
      (error: Error & { code?: string }) => void refusals.push(error.code ?? error.message),
    );
    // Either a commit of this step waits, or it needs none and is over.
    if (await Promise.race([waiting.then(() => true), settled.then(() => false)])) {
      interrupted.add(name);
      const ending = interrupt(scene);
      if ("meanwhile" in ending) await ending.meanwhile;
      held.letGo();
      await Promise.all([settled, ...("after" in ending ? [ending.after] : [])]);
    }
    held.letGo();
    return answer.catch(() => undefined);
  };
  const service = () => custody.custody.service;
  for (let contacts = 0; contacts < 400; contacts += 1) {
    custody.now += 10;
    const next: NextContact | undefined = await midst(`next after ${[...steps].at(-1)}`, () =>
      service().nextContact({ meter: title }, HEAD_END),
    );
    if (next?.kind === "nothing") {
      // Certificates are planned by what the policy asks for, now and then.
      custody.now += 60 * MINUTE;
      await custody.custody.sweep();
      const { meters } = await service().contactsDue({ limit: 10 }, HEAD_END);
      if (!meters.some((due) => Buffer.from(due).equals(title))) return { interrupted, steps, refusals };
    }
    if (next?.kind === "wait") custody.now += next.milliseconds;
    if (next?.kind !== "connect") continue;
    const line = meter.connect(next.clientSap, next.serverSap);
    let { step, apdu } = next;
    for (let nth = 0; ; nth += 1) {
      steps.add(step);
      const answer = line.exchange(apdu) as Uint8Array;
      assert.ok(answer, step);
      const event = { kind: "received", apdu: answer } as const;
      const advance: ContactAdvance | undefined = await midst(`${step} ${nth}`, () =>
        service()
          .advanceContact({ contact: next.contact, event }, HEAD_END)
          .catch((error: { code?: string }) => {
            // The head-end has the answer to a step of a contact that is no more.
            if (error.code !== "contact-unknown") throw error;
            return undefined as never;
          }),
      );
      if (advance?.kind !== "send") {
        custody.now += advance?.milliseconds ?? 0;
        break;
      }
      ({ step, apdu } = advance);
    }
  }
  assert.fail(`no end: ${[...interrupted].join(", ")}`);
}

/** Whatever is sealed meanwhile, by the custodian or the meter, is sealed under a key that is one. */
async function underKeys(body: () => Promise<void>): Promise<void> {
  const sealed: boolean[] = [];
  const { seal } = nodeCiphers;
  const spy = mock.method(nodeCiphers, "seal", ((key, vector, data, plain) => {
    sealed.push(data.authentication.length > 0 && data.authentication.every((octet) => octet === 0));
    return seal(key, vector, data, plain);
  }) as typeof seal);
  try {
    await body();
  } finally {
    spy.mock.restore();
  }
  assert.ok(sealed.length > 0);
  assert.equal(sealed.filter(Boolean).length, 0, "sealed under a key that was wiped");
}

const SCENES = [
  ["a takeover and an enrolment", withNewMeter, ["transfer-master", "enrolment-association", "signed-request"]],
  [
    "a lease's count, a rotation and the reading of a log",
    withLentMeter,
    ["counter-hint", "transfer-working-keys", "local-session-log"],
  ],
] as const satisfies readonly (readonly [string, (body: Body) => Promise<void>, readonly string[]])[];

/** The custodian as it comes up again once it is closed. */
async function closes(custody: TestCustody): Promise<void> {
  await custody.custody.close();
  await custody.restart();
}

for (const [what, withScene, named] of SCENES) {
  for (const [how, interrupt] of [
    ["its caller asks for another", ({ custody, title }) => ({ meanwhile: asksAgain(custody, title) })],
    ["nobody has advanced it for long", ({ custody }) => ({ after: isSwept(custody) })],
  ] as const satisfies readonly (readonly [string, Interruption])[])
    test(`${what}: a contact goes on where in the midst of each step ${how}`, () =>
      underKeys(() =>
        withScene(async (scene) => {
          const { interrupted, steps, refusals } = await carried(scene, interrupt);
          for (const step of named) assert.ok(steps.has(step), step);
          assert.ok(interrupted.size > steps.size);
          assert.deepEqual(refusals, []);
        }),
      ));

  for (const [how, interrupt] of [
    ["its caller goes", ({ custody }) => ({ after: custody.custody.gone(HEAD_END.name) })],
    ["the custodian closes", ({ custody }) => ({ after: closes(custody) })],
  ] as const satisfies readonly (readonly [string, Interruption])[])
    test(`${what}: a contact ends after its step where in the midst of it ${how}, and the next goes on from the journal`, () =>
      underKeys(() =>
        withScene(async (scene) => {
          const { interrupted, steps, refusals } = await carried(scene, interrupt);
          for (const step of named) assert.ok(steps.has(step), step);
          assert.ok(interrupted.size > steps.size);
          // Nothing is handed out for who is gone: a contact that was being opened is none.
          assert.ok(refusals.includes("contact-unknown"));
          const others = refusals.filter((code) => code !== "contact-unknown");
          assert.deepEqual(
            others.filter((code) => code !== "custodian-closing"),
            [],
          );
        }),
      ));

  for (const step of named)
    test(`${what}: a meter leaves after ${step} where it is to leave in the midst of that`, () =>
      underKeys(() =>
        withScene(async (scene) => {
          const { interrupted, refusals } = await carried(scene, (of) => ({ after: leaves(of) }), step);
          assert.deepEqual([interrupted.size, refusals], [1, []]);
          const file = await scene.custody.store.load(Buffer.from(scene.title).toString("hex").toUpperCase());
          assert.equal(file?.meter.standing, "retired");
        }),
      ));
}

async function leaves({ custody, title }: Scene): Promise<void> {
  const sender = { flag: "OLD", name: "Old Owner" };
  const asked = { meters: [title], how: "retired", reason: "scrapped", sender, recipient: undefined } as const;
  assert.deepEqual(await custody.custody.service.departMeters(asked, OPERATOR), { departed: 1 });
}

/** The meter of a contact in whose step this happens is busy, for whoever began it as well. */
async function asksAgain({ custody }: TestCustody, meter: SystemTitle): Promise<void> {
  const again = await custody.service.nextContact({ meter }, HEAD_END).catch(({ code }: { code: string }) => code);
  assert.ok(again === "meter-busy" || (typeof again === "object" && again.kind !== "connect"), JSON.stringify(again));
}

async function isSwept(custody: TestCustody): Promise<void> {
  custody.now += 3 * MINUTE;
  await custody.custody.sweep();
}
