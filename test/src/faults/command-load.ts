import { createPublicKey } from "node:crypto";
import type { CampaignView, CommandOrder, RouteAnswer } from "@meterkeep/api";
import { firmwareImage } from "@meterkeep/meter";
import type { createPool } from "@meterkeep/postgres";
import { type ApiClient, ask, ownerClient } from "../api-client.ts";
import { approve, enrolKeyHolder, type KeyHolder, planPolicyService, said } from "../authority.ts";
import { workOrder } from "../billing-office.ts";
import { shelve, townMaker, trustMaker } from "../firmware-shelf.ts";
import type { Meterkeep } from "../start-meterkeep.ts";
import type { MeterTruth, TownControl } from "../town-control.ts";
import { until } from "../until.ts";
import { any } from "./line-faults.ts";

type Sql = Pick<ReturnType<typeof createPool>, "query">;

/** Requests of one token: who asks for more in an hour than is usual is quarantined (MC-16). */
const MOST_OF_ONE_TOKEN = 2;
/** What was not done in this time is stale. */
const COMMAND_HOURS = 0.1;
/** An image of so many octets, in blocks that each profile takes. */
const [IMAGE_BYTES, BLOCK_BYTES] = [24 * 1024, 256];
const ENDED = ["done", "refused", "failed", "stale", "uncertain", "stopped"];
const PATIENCE = { patienceMs: 3_600_000, everyMs: 1_000 } as const;

/** Who asks homes for their clocks, corrects them, and switches homes off and on with the signatures of two people, while everything fails; then counts what became of it. */
export class CommandLoad {
  readonly #meterkeep: Meterkeep;
  readonly #token: string;
  readonly #people: readonly KeyHolder[];
  readonly #homes: readonly string[];
  readonly #count: (what: string) => void;
  readonly #campaigns: string[] = [];
  /** Homes that are switched, each off once and on again. */
  readonly #switched: { readonly meter: string; readonly turn: "disconnect" | "reconnect" }[] = [];
  readonly #refusals = new Map<string, number>();
  #switching: Promise<void> = Promise.resolve();
  #asker: { readonly api: ApiClient; left: number } | undefined;
  #askers = 0;
  #image: { readonly id: string; readonly meters: readonly string[]; readonly running: string } | undefined;

  private constructor(
    meterkeep: Meterkeep,
    token: string,
    people: readonly KeyHolder[],
    homes: readonly string[],
    count: (what: string) => void,
  ) {
    this.#meterkeep = meterkeep;
    this.#token = token;
    this.#people = people;
    this.#homes = homes;
    this.#count = count;
  }

  /** Enrols the two people. `token` may request. */
  static async begin(
    meterkeep: Meterkeep,
    token: string,
    homes: readonly string[],
    count: (what: string) => void,
  ): Promise<CommandLoad> {
    const anna = await enrolKeyHolder(meterkeep, "anna", "anna", "operations");
    const ben = await enrolKeyHolder(meterkeep, "ben", "ben", "security");
    await approve(meterkeep, await planPolicyService(meterkeep), anna, ben);
    await said(meterkeep, "command", "policy-service");
    return new CommandLoad(meterkeep, token, [anna, ben], homes, count);
  }

  /** How many orders were accepted. */
  get accepted(): number {
    return this.#campaigns.length + this.#switched.length;
  }

  /** Asks all homes at once. A server that was killed a moment ago refuses nothing that it has promised: what has no id was not accepted. */
  async askAll(operation: "attributes" | "clock"): Promise<void> {
    const parameters =
      operation === "clock" ? { mostSeconds: 60 } : { attributes: [{ classId: 8, object: "0-0:1.0.0", attribute: 2 }] };
    try {
      const { status, text } = await ask(`${this.#meterkeep.address}/api/v1/commands`, {
        method: "POST",
        headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
        body: JSON.stringify({
          operation,
          parameters,
          selection: { kind: "list", meters: this.#homes },
          reason: "maintenance",
          hours: COMMAND_HOURS,
        }),
      });
      const { campaign, code } = JSON.parse(text) as Partial<RouteAnswer<"createCommand">> & { readonly code?: string };
      // What the guard keeps in quarantine has no targets until another person releases it.
      if (campaign !== undefined && campaign.state !== "quarantined") this.#campaigns.push(campaign.id);
      this.#count(`${operation} ${campaign?.state ?? `not accepted: ${status} ${code}`}`);
    } catch {
      this.#count(`${operation} not accepted: nobody there`);
    }
  }

  /** Has one home more switched, behind those before: off and on in turn, so that what is off comes back while faults go on. */
  switchNext(): void {
    const off = this.#switched.filter(({ turn }) => turn === "disconnect");
    const on = new Set(this.#switched.flatMap(({ turn, meter }) => (turn === "reconnect" ? [meter] : [])));
    const back = off.find(({ meter }) => !on.has(meter));
    const fresh = any(this.#homes.filter((meter) => off.every((one) => one.meter !== meter)));
    const next =
      back !== undefined && this.#switched.length % 2 === 1
        ? ({ meter: back.meter, turn: "reconnect" } as const)
        : ({ meter: fresh, turn: "disconnect" } as const);
    if (next.meter === undefined) return;
    this.#switching = this.#switching
      .then(() => this.#switch(next.meter, next.turn))
      .catch(() => this.#count("switching: nobody there"));
  }

  /** Resolves when nobody is asked any more. */
  async rest(): Promise<void> {
    await this.#switching;
  }

  /** A request whose answer is lost may have been taken: it is counted at the meters all the same. */
  async #switch(meter: string, turn: "disconnect" | "reconnect"): Promise<void> {
    const order = `WO-${this.#askers}-${this.#switched.length}-${meter}`;
    await workOrder(this.#meterkeep.stateDirectory, order, "safety", [meter]);
    if (this.#asker === undefined || this.#asker.left === 0) {
      this.#askers += 1;
      const api = await ownerClient(this.#meterkeep, "request", `switching ${this.#askers}`);
      this.#asker = { api, left: MOST_OF_ONE_TOKEN };
    }
    const asker = this.#asker;
    asker.left -= 1;
    const body: CommandOrder = {
      operation: turn,
      parameters: {},
      selection: { kind: "list", meters: [meter] },
      reason: turn === "disconnect" ? "safety" : "restore",
      ...(turn === "disconnect" ? { workOrder: order } : {}),
    };
    const asked = await asker.api.call("createCommand", { body });
    const { id, state } = asked.campaign;
    this.#count(`${turn} ${state}`);
    if (state === "quarantined") {
      // Refused with its reason, which is a row; nothing of it is sent.
      for (const { rule, effect } of asked.dryRun.findings)
        if (effect !== "warn") this.#refusals.set(rule, (this.#refusals.get(rule) ?? 0) + 1);
      return;
    }
    this.#switched.push({ meter, turn });
    await this.#agree(asker.api, id);
  }

  /** Has as many people sign as it takes. */
  async #agree(api: ApiClient, id: string): Promise<void> {
    const view = await until<CampaignView>(
      "the manifest is at the custodian, or the request has ended",
      async () => {
        const seen = await api.call("campaign", { params: { id } }).catch(() => undefined);
        const isThere = (seen?.manifest?.people ?? 0) > 0;
        return seen !== undefined && (isThere || seen.campaign.state !== "awaiting-approval") && seen;
      },
      PATIENCE,
    );
    const { hash, people = 1 } = view.manifest ?? {};
    if (hash === undefined) return;
    // Who signs while the custodian is killed signs again.
    for (const person of this.#people.slice(0, people))
      await until(
        "somebody has signed, or the request has ended",
        async () => {
          const seen = await api.call("campaign", { params: { id } }).catch(() => undefined);
          if (seen !== undefined && seen.campaign.state !== "awaiting-approval") return true;
          return approve(this.#meterkeep, hash, person).then(
            () => true,
            () => false,
          );
        },
        PATIENCE,
      );
  }

  /** Has all homes that run one firmware given the next one's image, block by block, while everything fails; nobody activates it. */
  giveImage(truth: readonly MeterTruth[]): void {
    const homes = truth.filter(({ systemTitle }) => this.#homes.includes(systemTitle));
    const [running = "", meters = []] =
      [...Map.groupBy(homes, ({ firmware }) => firmware)].toSorted(
        ([, one], [, other]) => other.length - one.length,
      )[0] ?? [];
    const [model = ""] = running.split("-");
    const { stateDirectory } = this.#meterkeep;
    const maker = townMaker(stateDirectory);
    trustMaker(stateDirectory, createPublicKey(maker).export({ type: "spki", format: "pem" }).toString());
    const firmware = `${model}-2.9.0`;
    const image = firmwareImage(firmware, IMAGE_BYTES, maker);
    const facts = { firmware, models: [`MKV-${model}`], identifier: `${model}-290` };
    const { sha384, identifier, imageBytes } = shelve(stateDirectory, image, facts, maker);
    this.#switching = this.#switching
      .then(async () => {
        const api = await ownerClient(this.#meterkeep, "request", "images");
        const titles = meters.map(({ systemTitle }) => systemTitle);
        const { campaign } = await api.call("createCommand", {
          body: {
            operation: "image-transfer",
            parameters: { sha384, identifier, imageBytes, blockBytes: BLOCK_BYTES },
            selection: { kind: "list", meters: titles },
            reason: "maintenance",
            hours: COMMAND_HOURS,
          },
        });
        this.#count(`image for ${titles.length} homes ${campaign.state}`);
        if (campaign.state === "quarantined") return;
        this.#image = { id: campaign.id, meters: titles, running };
        await this.#agree(api, campaign.id);
      })
      .catch(() => this.#count("image: nobody there"));
  }

  /** Whoever is said to have the image has verified it, and everybody runs what they ran. */
  async #compareImages(sql: Sql, truth: readonly MeterTruth[]): Promise<readonly string[]> {
    const image = this.#image;
    if (image === undefined) return [];
    const { rows } = await sql.query<{ title: string; state: string; losses: number; sentence: string }>(
      `select upper(system_title) as title, state, losses, sentence from campaign_targets where campaign_id = $1`,
      [image.id],
    );
    const states = [...Map.groupBy(rows, ({ state }) => state)].map(([state, of]) => `${of.length} ${state}`);
    console.log(
      `image: ${states.join(", ")}; ${rows.reduce((sum, { losses }) => sum + losses, 0)} sessions of it were lost`,
    );
    const done = new Set(rows.filter(({ state }) => state === "done").map(({ title }) => title));
    return truth
      .filter(({ systemTitle }) => image.meters.includes(systemTitle))
      .flatMap(({ systemTitle, firmware, image: status }) => [
        ...(firmware === image.running ? [] : [`${systemTitle} runs ${firmware}, and nobody activated it`]),
        ...(done.has(systemTitle) && status !== "verificationSuccessful"
          ? [`${systemTitle} is said to have the image, and says ${status}`]
          : []),
      ]);
  }

  /** Waits until each command has come to its end, and gives what is wrong with that: one that is lost, or meters that have switched otherwise. */
  async faults(sql: Sql, town: TownControl): Promise<readonly string[]> {
    const targets = await until(
      "every command has come to an end",
      async () => {
        const { rows } = await sql.query<{ state: string; n: number }>(
          "select state, count(*)::integer as n from campaign_targets group by state order by state",
        );
        return rows.every(({ state }) => ENDED.includes(state)) && rows;
      },
      PATIENCE,
    );
    const total = targets.reduce((sum, { n }) => sum + n, 0);
    const wanted =
      this.#campaigns.length * this.#homes.length + this.#switched.length + (this.#image?.meters.length ?? 0);
    const words = targets.map(({ state, n }) => `${n} ${state}`).join(", ");
    console.log(`commands: ${this.#campaigns.length} to ${this.#homes.length} homes: ${words}`);
    return [
      ...(total < wanted ? [`${total} targets, and ${wanted} were accepted`] : []),
      ...(await this.#compareWithMeters(sql, town)),
      ...(await this.#compareImages(sql, await town.truth())),
    ];
  }

  /** Each command that was accepted has one end, and the meters have switched as often as those ends say. */
  async #compareWithMeters(sql: Sql, town: TownControl): Promise<readonly string[]> {
    // To give back what is on already moves nothing, and is done.
    const { rows: ends } = await sql.query<{ title: string; certain: number; possible: number }>(
      `select t.system_title as title,
         count(*) filter (where t.state = 'done' and c.direction = 'off')::integer as certain,
         count(*) filter (where t.state in ('done', 'uncertain', 'failed'))::integer as possible
       from campaign_targets t join campaigns c using (utility_id, island_id, campaign_id)
       where c.direction in ('off', 'on') group by 1`,
    );
    const { rows: words } = await sql.query<{ said: string; n: number }>(
      `select coalesce(nullif(t.sentence, ''), c.sentence) as said, count(*)::integer as n
       from campaign_targets t join campaigns c using (utility_id, island_id, campaign_id)
       where c.direction in ('off', 'on') and t.state <> 'done' group by 1 order by 2 desc limit 10`,
    );
    for (const { said: why, n } of words) console.log(`not switched: ${n} times, ${why}`);
    const acts = new Map((await town.truth()).map(({ systemTitle, switchings }) => [systemTitle, switchings]));
    const byMeter = new Map(ends.map((row) => [row.title, row]));
    const faults: string[] = [];
    for (const [meter, happened] of acts) {
      const { certain: least = 0, possible: most = 0 } = byMeter.get(meter) ?? {};
      if (happened < least || happened > most)
        faults.push(`${meter} has switched ${happened} times, and commands say ${least} to ${most}`);
    }
    const all = [...acts.values()].reduce((sum, n) => sum + n, 0);
    const refused = [...this.#refusals].map(([rule, n]) => `${rule} (${n})`).join(", ") || "nobody";
    console.log(
      `switched: ${this.#switched.length} commands to ${byMeter.size} homes; the meters count ${all}; refused by ${refused}`,
    );
    return faults;
  }
}
