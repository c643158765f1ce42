import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { GATHER_MILLISECONDS } from "../ledger/open-ledger.ts";
import { caller, HEAD_END } from "../testing/test-custody.ts";
import { TITLE, withSession } from "../testing/test-session.ts";
import { HURRIED_SESSIONS } from "./sessions.ts";

const OTHER = { ...caller("head-end"), name: "head-end-2" };

test("a session that somebody waits for is opened and closed without waiting for others to share its commits, so many of each caller", () =>
  withSession(async ({ custody }) => {
    const { service } = custody.custody;
    const request = { meter: systemTitle(fromHex(TITLE)), purpose: "read" } as const;
    // So many that openings wait for each other.
    for (let open = 0; open < 9; open += 1) await service.openSession(request, HEAD_END);
    const timeouts = mock.method(globalThis, "setTimeout");
    /** How many commits of a session were gathered for, its opening's and its end's. */
    const gathered = async (awaited: boolean, by = HEAD_END): Promise<number> => {
      timeouts.mock.resetCalls();
      const { session } = await service.openSession({ ...request, awaited }, by);
      await service.closeSession({ session, outcome: "completed" }, by);
      return timeouts.mock.calls.filter(({ arguments: [, milliseconds] }) => milliseconds === GATHER_MILLISECONDS)
        .length;
    };
    const hurried = async (count: number, by = HEAD_END): Promise<number> => {
      let own = 0;
      for (let session = 0; session < count; session += 1) own += (await gathered(true, by)) === 0 ? 1 : 0;
      return own;
    };
    assert.notEqual(await gathered(false), 0, "an ordinary one gathers");
    const { burst, perSecond } = HURRIED_SESSIONS;
    assert.equal(await hurried(burst + 8), burst);
    assert.notEqual(await gathered(true), 0, "as an ordinary one, and not refused");
    assert.equal(await hurried(burst, OTHER), burst, "another caller's are its own");
    custody.now += 1000;
    assert.equal(await hurried(perSecond + 8), perSecond);
    timeouts.mock.restore();
  }));
