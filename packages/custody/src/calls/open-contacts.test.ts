import assert from "node:assert/strict";
import { test } from "node:test";
import { LeavingMeters } from "../departure/leaving-meters.ts";
import { caller } from "../testing/test-custody.ts";
import type { Caller } from "./caller.ts";
import { type Ended, type OpenContact, OpenContacts } from "./open-contacts.ts";

const [ONE, OTHER] = [caller("head-end"), caller("depot")];
const MINUTE = 60_000;

/** Contacts with one meter, and what becomes of them. */
function bench() {
  const seen: string[] = [];
  const clock = { now: 0 };
  const contacts = new OpenContacts<OpenContact>({
    now: () => clock.now,
    leaving: new LeavingMeters(),
    onEnd: (_, ended) => void seen.push(ended),
  });
  return {
    clock,
    seen,
    contacts,
    open: (by = ONE, before: Promise<unknown> = Promise.resolve()) =>
      contacts.begin("M", by, async (keep) => {
        await before;
        const live = { caller: by, place: { systemTitle: "M" }, [Symbol.dispose]: () => void seen.push("wiped") };
        return { contact: keep(live) };
      }),
    /** A step that goes on until it is let go. */
    step: (open: { readonly contact: string }, by = ONE) => {
      const held = Promise.withResolvers<void>();
      const over = contacts.advance(open, by, async () => {
        await held.promise;
        seen.push("stepped");
        return "octets";
      });
      return { letGo: held.resolve, fails: held.reject, over };
    },
  };
}

for (const [what, end, ended] of [
  ["its meter leaves", ({ contacts }) => contacts.endOf("M"), "over"],
  ["its caller goes", ({ contacts }) => contacts.endOfCaller(ONE.name), "abandoned"],
  ["all are closed", ({ contacts }) => contacts.closeAll(), "over"],
] as const satisfies readonly (readonly [string, (of: ReturnType<typeof bench>) => Promise<void>, Ended])[])
  test(`where ${what} in the midst of a step nobody finds the contact any more, and its keys are wiped after the step`, async () => {
    const made = bench();
    const { contacts, seen } = made;
    const open = await made.open();
    const { letGo, over } = made.step(open);
    const ending = end(made).then(() => seen.push("ended"));
    assert.equal(await contacts.advance(open, ONE, async () => "more"), undefined);
    assert.equal(contacts.standing("M", ONE), "in-use", "nothing else is begun with its meter");
    assert.deepEqual(seen, []);
    letGo();
    assert.equal(await over, "octets");
    await ending;
    assert.deepEqual(seen, ["stepped", "wiped", ended, "ended"]);
    assert.equal(contacts.of("M"), undefined);
  });

test("a contact in a step is neither swept nor begun anew, and whoever carries its octets has the whole time after it", async () => {
  const made = bench();
  const { contacts, seen } = made;
  const open = await made.open();
  const { letGo, over } = made.step(open);
  made.clock.now += 5 * MINUTE;
  contacts.sweep();
  assert.deepEqual([contacts.standing("M", ONE), contacts.standing("M", OTHER)], ["in-use", "in-use"]);
  await assert.rejects(
    contacts.advance(open, ONE, async () => "beside it"),
    { code: "meter-busy" },
  );
  letGo();
  assert.equal(await over, "octets");
  made.clock.now += 2 * MINUTE;
  contacts.sweep();
  assert.deepEqual(seen, ["stepped"]);
  made.clock.now += 1;
  contacts.sweep();
  assert.deepEqual(seen, ["stepped", "wiped", "abandoned"]);
});

test("a contact whose step fails is over, once, whatever else has ended it", async () => {
  const made = bench();
  const { fails, over } = made.step(await made.open());
  const gone = made.contacts.endOfCaller(ONE.name);
  fails(new Error("the journal cannot be written"));
  await assert.rejects(over, /cannot be written/);
  await gone;
  assert.deepEqual(made.seen, ["wiped", "abandoned"]);
});

test("a contact that was being opened when its end came is none, and none is opened once all are closed", async () => {
  const made = bench();
  const held = Promise.withResolvers<void>();
  const opening = assert.rejects(made.open(ONE, held.promise), { code: "contact-unknown" });
  const gone = made.contacts.endOfCaller(ONE.name);
  held.resolve();
  await Promise.all([opening, gone]);
  assert.equal(made.contacts.of("M"), undefined);
  await made.contacts.closeAll();
  await assert.rejects(made.open(), { code: "custodian-closing" });
});

test("whoever asks of a meter while others are answered comes after one question of each, and a second question of the same waits for nothing", async () => {
  const made = bench();
  const { contacts } = made;
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const answered: string[] = [];
  const ask = (by: Caller, before: Promise<void>) =>
    contacts.begin("M", by, async () => {
      await before;
      answered.push(by.name);
    });
  const asked = [ask(ONE, first.promise), ask(OTHER, second.promise)];
  for (let again = 0; again < 3; again += 1) await assert.rejects(ask(ONE, first.promise), { code: "meter-busy" });
  assert.equal(contacts.standing("M", OTHER), "in-use");
  first.resolve();
  await asked[0];
  // It asks again at once, and is behind the other all the same.
  asked.push(ask(ONE, Promise.resolve()));
  second.resolve();
  await Promise.all(asked);
  assert.deepEqual(answered, [ONE.name, OTHER.name, ONE.name]);
  assert.equal(contacts.standing("M", ONE), "free");
});

test("a caller has as many contacts as it leaves free: whoever comes finds room, and its own are asked for anew", async () => {
  const { contacts } = bench();
  const third = { ...ONE, name: "a third" };
  const ask = (title: string, by: Caller) =>
    contacts.begin(title, by, async (keep) => {
      const before = contacts.of(title);
      if (before !== undefined) contacts.end(before.live, "replaced");
      return keep({ caller: by, place: { systemTitle: title }, [Symbol.dispose]: () => undefined });
    });
  const most = async (by: Caller) => {
    for (let count = 0; ; count += 1) {
      const refusal = await ask(`${by.name} ${count}`, by).then(
        () => undefined,
        ({ code }: { code: string }) => code,
      );
      if (refusal === undefined) continue;
      assert.equal(refusal, "too-many-open");
      return count;
    }
  };
  assert.deepEqual([await most(ONE), await most(OTHER), await most(third)], [10_000, 5_000, 2_500]);
  await contacts.endOfCaller(OTHER.name);
  await ask(`${ONE.name} 7`, ONE);
  await assert.rejects(ask("M", ONE), { code: "too-many-open", message: /10000 of them by head-end/ });
  await ask("M", OTHER);
});

test("contacts that a caller begins at once count before any of them is open, and one that has ended in its step takes room anew", async () => {
  const { contacts } = bench();
  const before = Promise.withResolvers<void>();
  const ask = async (title: string, by: Caller) =>
    contacts.begin(title, by, async (keep) => {
      await before.promise;
      return { contact: keep({ caller: by, place: { systemTitle: title }, [Symbol.dispose]: () => undefined }) };
    });
  const asked = Array.from({ length: 12_000 }, (_, at) => ask(`${at}`, ONE));
  const others = ask("M", OTHER);
  before.resolve();
  const outcomes = await Promise.allSettled(asked);
  const refused = outcomes.flatMap((one) => (one.status === "rejected" ? [(one.reason as { code: string }).code] : []));
  assert.deepEqual([refused.length, new Set(refused)], [2_000, new Set(["too-many-open"])]);
  await others;
  const held = Promise.withResolvers<void>();
  const [first] = outcomes as [PromiseFulfilledResult<{ contact: string }>];
  const stepping = contacts.advance(first.value, ONE, () => held.promise);
  const gone = contacts.endOfCaller(ONE.name);
  for (let at = 1; at <= 10_000; at += 1) await ask(`${at}`, ONE);
  await assert.rejects(ask("0", ONE), { code: "too-many-open" });
  held.resolve();
  await Promise.all([stepping, gone]);
});

test("what is under way is told: steps, and what is being begun, and nothing that waits for its caller", async () => {
  const made = bench();
  const before = Promise.withResolvers<void>();
  const opening = made.open(ONE, before.promise);
  assert.deepEqual(made.contacts.underWay(), ["M"]);
  before.resolve();
  const open = await opening;
  assert.deepEqual(made.contacts.underWay(), []);
  const { letGo, over } = made.step(open);
  assert.deepEqual(made.contacts.underWay(), ["M"]);
  const closing = made.contacts.closeAll();
  assert.deepEqual(made.contacts.underWay(), ["M"], "it is waited for");
  letGo();
  await Promise.all([over, closing]);
  assert.deepEqual(made.contacts.underWay(), []);
});
