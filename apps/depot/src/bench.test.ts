import assert from "node:assert/strict";
import { test } from "node:test";
import { Bench, type Contact } from "./bench.ts";

const DONE = { next: "done", milliseconds: 0, state: { verdict: "proven" } } as const satisfies Contact;
const AGAIN = { ...DONE, next: "reconnect" } as const satisfies Contact;
const LOST = { ...AGAIN, lost: { reason: "unreachable", code: "connection-failed" } } as const satisfies Contact;

/** A bench whose meters answer as they are told, in a time that goes on by a millisecond whenever it is asked for. */
function bench(answer: (title: string, contacts: number) => Contact) {
  const closing = new AbortController();
  const asked: string[] = [];
  const done: string[] = [];
  let time = 0;
  const under = new Bench({
    contact: async ({ title }) => {
      asked.push(title);
      return answer(title, asked.filter((one) => one === title).length);
    },
    limits: { totalSeconds: 60 },
    now: () => {
      time += 1;
      return time;
    },
    random: () => 0,
    onFailure: () => undefined,
    onDone: ({ title }) => done.push(title),
  });
  const put = (...titles: string[]): void => {
    for (const title of titles) under.add({ title, address: () => ({ host: "127.0.0.1", port: 1 }) });
  };
  const until = async (condition: () => boolean): Promise<void> => {
    const run = under.run(closing.signal);
    while (!condition()) await new Promise(setImmediate);
    closing.abort();
    await run;
  };
  return { put, until, asked, done };
}

test("meters that never answer keep nobody's place, however many they are", async () => {
  const { put, until, done } = bench((title) => (title.startsWith("dead") ? LOST : DONE));
  put(...Array.from({ length: 40 }, (_, n) => `dead ${n}`), "alive");
  await until(() => done.length === 1);
  assert.deepEqual(done, ["alive"]);
});

test("each is carried to its end and asked no more, and one that comes later is carried too", async () => {
  const { put, until, asked, done } = bench((title, contacts) => {
    if (title === "first" && contacts === 1) put("later");
    return contacts < 4 ? AGAIN : DONE;
  });
  put("first", "second");
  await until(() => done.length === 3);
  assert.deepEqual([...done].sort(), ["first", "later", "second"]);
  assert.equal(asked.length, 12);
});

test("a takeover that has begun goes on before another one begins", async () => {
  const { put, until, done } = bench((_, contacts) => (contacts < 5 ? AGAIN : DONE));
  const titles = Array.from({ length: 64 }, (_, n) => `${n}`);
  put(...titles);
  await until(() => done.length === titles.length);
  assert.ok(
    done.slice(0, 16).every((title) => Number(title) < 32),
    done.join(" "),
  );
});
