import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { Overview } from "@meterkeep/api";
import { QueryCache, QueryClient } from "@tanstack/react-query";
import { SHOWN_WHEN_ASKED } from "../api/queries.ts";
import { RequestError } from "../api/request.ts";
import { LiveStore } from "./live-store.ts";

/** A browser's source whose server refuses it at once; a browser says no more of that than an error. */
class RefusedSource extends EventTarget {
  static readonly CLOSED = 2;
  readonly readyState = RefusedSource.CLOSED;

  constructor() {
    super();
    queueMicrotask(() => this.dispatchEvent(new Event("error")));
  }

  close(): void {}
}

test("a stream that is refused has the page ask whether it is signed in, and whoever looks at answers hears that it is not", async () => {
  const { promise: heard, resolve } = Promise.withResolvers<Error>();
  const asked: string[] = [];
  const fetched = mock.method(globalThis, "fetch", async (path: string) => {
    asked.push(path);
    return Response.json({ code: "sign-in-required", title: "Sign in" }, { status: 401 });
  });
  Object.assign(globalThis, { EventSource: RefusedSource });
  const store = new LiveStore(new QueryClient({ queryCache: new QueryCache({ onError: resolve }) }));
  try {
    const clock = { now: "2026-11-22T12:00:00Z", wallNow: "2026-11-22T12:00:00Z", factor: 1, simulated: false };
    store.open({ clock, meters: [], lastEventId: "a.1" } as unknown as Overview);
    const error = await heard;
    assert.ok(error instanceof RequestError && error.status === 401);
    assert.deepEqual(asked, ["/api/v1/me"]);
    assert.equal(store.snapshot().connection, "lost");
  } finally {
    store.close();
    fetched.mock.restore();
    Reflect.deleteProperty(globalThis, "EventSource");
  }
});

test("a stream that missed something makes every answer old but one that changes only when somebody asks", async () => {
  const { promise: opened, resolve } = Promise.withResolvers<EventTarget>();
  class OpenSource extends EventTarget {
    constructor() {
      super();
      resolve(this);
    }

    close(): void {}
  }
  Object.assign(globalThis, { EventSource: OpenSource });
  const queries = new QueryClient();
  const store = new LiveStore(queries);
  const { promise: old, resolve: tell } = Promise.withResolvers<readonly unknown[]>();
  try {
    queries
      .getQueryCache()
      .build(queries, { queryKey: ["meter"] })
      .setData(1);
    queries
      .getQueryCache()
      .build(queries, { queryKey: ["ledger"], meta: SHOWN_WHEN_ASKED })
      .setData(1);
    queries.getQueryCache().subscribe(({ type, query }) => {
      if (type === "updated" && query.state.isInvalidated) tell(query.queryKey);
    });
    const clock = { now: "2026-11-22T12:00:00Z", wallNow: "2026-11-22T12:00:00Z", factor: 1, simulated: false };
    store.open({ clock, meters: [], lastEventId: "a.1" } as unknown as Overview);
    (await opened).dispatchEvent(new MessageEvent("reset", { data: "{}", lastEventId: "b.1" }));
    assert.deepEqual(await old, ["meter"]);
    assert.equal(queries.getQueryState(["ledger"])?.isInvalidated, false);
  } finally {
    store.close();
    Reflect.deleteProperty(globalThis, "EventSource");
  }
});
