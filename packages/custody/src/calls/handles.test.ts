import assert from "node:assert/strict";
import { test } from "node:test";
import { Handles } from "./handles.ts";

const HEAD_END = { name: "head-end", role: "head-end" } as const;
const OTHER = { name: "other", role: "head-end" } as const;
const thing = (name: string, caller: typeof HEAD_END | typeof OTHER = HEAD_END) => ({ name, caller });

test("a handle finds its thing for who began it, and for nobody once it is gone, whatever takes its number", () => {
  const handles = new Handles<ReturnType<typeof thing>>();
  const named = Array.from({ length: 50 }, (_, at) => handles.add(thing(`${at}`, at % 2 ? OTHER : HEAD_END), at));
  assert.equal(new Set(named).size, 50);
  assert.deepEqual([handles.size, handles.countOf(HEAD_END), handles.countOf(OTHER)], [50, 25, 25]);
  for (const [at, handle] of named.entries()) {
    assert.match(handle, /^[0-9a-f]{24}$/);
    const [own, others] = at % 2 ? [OTHER, HEAD_END] : [HEAD_END, OTHER];
    assert.equal(handles.find(handle, own, at)?.name, `${at}`);
    assert.equal(handles.find(handle, others, 100), undefined);
    assert.equal(handles.lastUsed(handle), at, "whoever did not find it has not used it");
  }
  const gone = named.filter((_, at) => at % 5 === 0);
  for (const handle of gone) assert.ok(handles.remove(handle));
  for (const handle of gone) assert.ok(!handles.remove(handle), "once");
  const again = gone.map((_, at) => handles.add(thing(`again ${at}`), 200));
  assert.equal(handles.size, 50);
  for (const handle of gone) {
    for (const caller of [HEAD_END, OTHER]) assert.equal(handles.find(handle, caller, 0), undefined);
    assert.deepEqual([handles.peek(handle), handles.lastUsed(handle)], [undefined, undefined]);
  }
  assert.deepEqual(
    again.map((handle) => handles.peek(handle)?.name),
    again.map((_, at) => `again ${at}`),
  );
});

test("what is no handle, or one with any digit changed, finds nothing", () => {
  const handles = new Handles<ReturnType<typeof thing>>();
  const handle = handles.add(thing("one"), 0);
  for (let at = 0; at < handle.length; at += 1) {
    const digit = handle[at] === "0" ? "1" : "0";
    assert.equal(handles.find(`${handle.slice(0, at)}${digit}${handle.slice(at + 1)}`, HEAD_END, 0), undefined);
  }
  const wrong = ["", handle.slice(1), `${handle}0`, handle.replace(/.$/, "g"), "f".repeat(24), " ".repeat(24)];
  for (const text of wrong) assert.equal(handles.find(text, HEAD_END, 0), undefined, text);
  assert.equal(handles.find(handle, HEAD_END, 0)?.name, "one");
});

test("what nobody has found for long is told with its handle, and all of it in turn", () => {
  const handles = new Handles<ReturnType<typeof thing>>();
  const [one, two, three] = ["1", "2", "3"].map((name, at) => handles.add(thing(name), at * 10)) as [
    string,
    string,
    string,
  ];
  handles.find(one, HEAD_END, 50);
  handles.remove(three);
  const names = (all: readonly (readonly [string, { readonly name: string }])[]) =>
    all.map(([h, { name }]) => [h, name]);
  assert.deepEqual(names(handles.idleSince(50)), [[two, "2"]]);
  assert.deepEqual(names(handles.entries()), [
    [one, "1"],
    [two, "2"],
  ]);
});
