import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { startTestServer, type TestServer } from "../testing/test-server.ts";

/** Reads the stream until `count` events with an id have come. */
async function events(
  server: TestServer,
  cookie: string,
  path: string,
  count: number,
  headers: Record<string, string> = {},
): Promise<string[]> {
  const abort = new AbortController();
  const response = await fetch(`${server.url}/api/v1${path}`, {
    headers: { cookie, ...headers },
    signal: abort.signal,
  });
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const found: string[] = [];
  let text = "";
  for await (const chunk of response.body!) {
    text += Buffer.from(chunk).toString("utf8");
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      if (block.startsWith("id:")) found.push(block);
    }
    if (found.length >= count) break;
  }
  abort.abort();
  return found;
}

const clock = (n: number) => ({ now: new Date(n).toISOString(), wallNow: new Date(n).toISOString(), factor: 1 });

test("a stream that broke off resumes after its last event, or says that it cannot", async () => {
  await using server = await startTestServer();
  const cookie = await server.signIn();
  const { hub } = server.context;
  hub.publish("clock", clock(1));
  const last = hub.lastId;
  hub.publish("clock", clock(2));
  hub.publish("clock", clock(3));
  const resumed = await events(server, cookie, "/events", 2, { "last-event-id": last });
  assert.deepEqual(
    resumed.map((block) => /event: (\w+)/.exec(block)?.[1]),
    ["clock", "clock"],
  );
  assert.match(resumed[0] ?? "", /1970-01-01T00:00:00.002Z/);
  assert.match((await events(server, cookie, `/events?after=${last}`, 2))[1] ?? "", /00:00:00.003Z/);
  for (let n = 0; n < 500; n += 1) hub.publish("clock", clock(n));
  assert.match((await events(server, cookie, "/events", 1, { "last-event-id": last }))[0] ?? "", /event: reset/);
  assert.match((await events(server, cookie, "/events", 1, { "last-event-id": "another.3" }))[0] ?? "", /event: reset/);
});

test("streams are bounded in number, and one that ended makes room", async () => {
  await using server = await startTestServer({ streams: { all: 2, forPeople: 0, perToken: 2 } });
  const cookie = await server.signIn();
  const open = async (): Promise<[Response, AbortController]> => {
    const abort = new AbortController();
    return [await fetch(`${server.url}/api/v1/events`, { headers: { cookie }, signal: abort.signal }), abort];
  };
  const [first, endFirst] = await open();
  const [second, endSecond] = await open();
  assert.deepEqual([first.status, second.status], [200, 200]);
  const [third] = await open();
  assert.equal(third.status, 503);
  assert.equal(((await third.json()) as { code: string }).code, "too-many-streams");
  endFirst.abort();
  while (server.context.streams.open > 1) await new Promise((resolve) => setImmediate(resolve));
  const [again, endAgain] = await open();
  assert.equal(again.status, 200);
  endSecond.abort();
  endAgain.abort();
});

test("a token has so many streams and no more, and machines leave people their own", async () => {
  await using server = await startTestServer({ streams: { all: 5, forPeople: 2, perToken: 2 } });
  const cookie = await server.signIn();
  const { tokens, streams } = server.context;
  const aborts: AbortController[] = [];
  // Held: what nobody holds is collected, and its stream ends with it.
  const held: Response[] = [];
  const open = async (headers: Record<string, string>): Promise<number> => {
    const abort = new AbortController();
    const response = await fetch(`${server.url}/api/v1/events`, { headers, signal: abort.signal });
    held.push(response);
    if (response.status === 200) aborts.push(abort);
    else assert.equal(((await response.json()) as { code: string }).code, "too-many-streams");
    return response.status;
  };
  const bearer = async (name: string) => ({
    authorization: `Bearer ${(await tokens.create(name, "read", undefined)).token}`,
  });
  const [greedy, modest] = [await bearer("greedy"), await bearer("modest")];
  assert.deepEqual([await open(greedy), await open(greedy), await open(greedy)], [200, 200, 503]);
  assert.deepEqual([await open(modest), await open(modest)], [200, 503]);
  assert.deepEqual([await open({ cookie }), await open({ cookie }), await open({ cookie })], [200, 200, 503]);
  assert.equal(streams.open, 5);
  for (const abort of aborts) abort.abort();
});

test("a stream ends with its login: signed out, withdrawn, or its sign-in replaced by the owner's", async () => {
  await using server = await startTestServer();
  const { tokens, streams } = server.context;
  const watch = async (headers: Record<string, string>): Promise<string> => {
    const response = await fetch(`${server.url}/api/v1/events`, { headers });
    assert.equal(response.status, 200);
    return response.text();
  };
  const open = async (count: number): Promise<void> => {
    while (streams.open < count) await new Promise((resolve) => setImmediate(resolve));
  };
  const person = await server.signIn();
  const made = await tokens.create("a program", "read", undefined);
  const [ofPerson, ofMachine] = [watch({ cookie: person }), watch({ authorization: `Bearer ${made.token}` })];
  await open(2);
  await ownersLink(server);
  await ofPerson;
  assert.equal(streams.open, 1, "the machine's goes on");
  await tokens.withdraw(made.record.id);
  await streams.endOfThoseOut();
  await ofMachine;
  assert.equal(streams.open, 0);
});

/** Has the owner of the machine make a sign-in link, which ends the administrator's logins. */
function ownersLink({ adminSocket }: TestServer): Promise<unknown> {
  return new Promise((resolve, reject) => {
    request({ socketPath: adminSocket, method: "POST", path: "/api/v1/admin/sign-in-link" }, (response) => {
      response.resume().on("end", resolve);
    })
      .on("error", reject)
      .end();
  });
}
