import assert from "node:assert/strict";
import { test } from "node:test";
import { DurableAnswers } from "./durable-answers.ts";

function memory(): { dirty: boolean; commits: number; fail: boolean; commit(): void } {
  return {
    dirty: false,
    commits: 0,
    fail: false,
    commit() {
      if (this.fail) throw new Error("the disk is full");
      if (this.dirty) this.commits += 1;
      this.dirty = false;
    },
  };
}

const unexpected = (error: unknown): void => assert.ifError(error);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("an answer that rests on nothing new leaves at once", () => {
  const order: string[] = [];
  new DurableAnswers(memory(), unexpected).afterCommit(() => order.push("sent"));
  assert.deepEqual(order, ["sent"]);
});

test("answers of one turn share one commit and leave behind it, in their order", async () => {
  const store = memory();
  const order: string[] = [];
  const answers = new DurableAnswers(store, unexpected);
  for (const name of ["first", "second", "third"]) {
    store.dirty = true;
    answers.afterCommit(() => order.push(`${name} after ${store.commits}`));
  }
  assert.deepEqual(order, []);
  await turn();
  assert.deepEqual(order, ["first after 1", "second after 1", "third after 1"]);
});

test("no answer leaves when its changes cannot be remembered", async () => {
  const store = memory();
  store.dirty = true;
  store.fail = true;
  const failures: unknown[] = [];
  const answers = new DurableAnswers(store, (error) => failures.push(error));
  answers.afterCommit(() => assert.fail("it must not leave"));
  await turn();
  assert.equal(failures.length, 1);
});

test("where many meters answer, every answer still leaves behind its commit, in order", async () => {
  const store = memory();
  const order: string[] = [];
  const answers = new DurableAnswers(store, unexpected);
  answers.keepPace(true);
  for (const name of ["first", "second", "third"]) {
    store.dirty = true;
    await new Promise<void>((resolve) =>
      answers.afterCommit(() => {
        order.push(`${name} after ${store.commits}`);
        resolve();
      }),
    );
  }
  assert.deepEqual(order, ["first after 1", "second after 2", "third after 3"]);
});
