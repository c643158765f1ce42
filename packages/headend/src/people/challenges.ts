import { randomUUID } from "node:crypto";
import type { Scope } from "../database/scope.ts";
import { firstRow, type Sql } from "../database/sql.ts";

/** What a challenge is for: one that was made for something else is none. */
export type ChallengePurpose = "sign-in" | "enrol" | "step-up" | "organisation";

const CHALLENGE_MINUTES = 5;

/** What somebody was asked who says who they are; each challenge is good once, for its purpose, within five minutes. */
export class Challenges {
  readonly #sql: Sql;
  readonly #scope: Scope;
  readonly #now: () => Date;

  constructor(sql: Sql, scope: Scope, now: () => Date) {
    this.#sql = sql;
    this.#scope = scope;
    this.#now = now;
  }

  /** Keeps a challenge and gives its id; forgets the expired ones. `person` is who alone may answer it. */
  async keep(purpose: ChallengePurpose, challenge: string, person?: string): Promise<string> {
    const id = randomUUID();
    const now = this.#now();
    await this.#sql.query(
      "delete from login_challenges where utility_id = $1 and island_id = $2 and expires_at <= $3",
      [...this.#scope.place, now],
    );
    await this.#sql.query(
      `insert into login_challenges (utility_id, island_id, challenge_id, purpose, challenge, person_id, expires_at)
       values ($1, $2, $3, $4, $5, $6, $7)`,
      [
        ...this.#scope.place,
        id,
        purpose,
        challenge,
        person ?? null,
        new Date(now.getTime() + CHALLENGE_MINUTES * 60_000),
      ],
    );
    return id;
  }

  /** Takes a challenge out; undefined when there is none, it has expired, or it was for something or somebody else. */
  async take(purpose: ChallengePurpose, id: string, person?: string): Promise<string | undefined> {
    const row = await firstRow<{ challenge: string }>(
      this.#sql,
      `delete from login_challenges
       where utility_id = $1 and island_id = $2 and challenge_id = $3 and expires_at > $4 and purpose = $5
         and person_id is not distinct from $6
       returning challenge`,
      [...this.#scope.place, id, this.#now(), purpose, person ?? null],
    );
    return row?.challenge;
  }
}
