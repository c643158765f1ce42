import { Arbitrator } from "../cosem/classes/arbitrator.ts";
import { refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { ScriptReference } from "../cosem/structures.ts";
import { type BitString, hasBit } from "../data/bit-string.ts";

/** How an arbitrator is set up (Blue Book 4.5.12): a row an actor, a column an action. */
export interface ArbitratorSettings {
  readonly actions: readonly ScriptReference[];
  readonly permissionsTable: readonly BitString[];
  readonly weightingsTable: readonly (readonly number[])[];
}

/**
 * Decides between actors that want different things of one resource (class 68).
 *
 * State: what each actor last asked for, and the action that ran last. A request replaces the actor's one before; the
 * action with the highest sum of weights over all actors that ask for it runs, unless several have it.
 */
export class ResourceArbitrator {
  readonly #run: (script: ScriptReference) => void;
  #settings: ArbitratorSettings;
  #requests: readonly BitString[] = [];
  #lastOutcome = 0;

  constructor(settings: ArbitratorSettings, run: (script: ScriptReference) => void) {
    this.#settings = settings;
    this.#run = run;
  }

  get settings(): ArbitratorSettings {
    return this.#settings;
  }

  /** New tables forget who asked for what. */
  set settings(settings: ArbitratorSettings) {
    this.#settings = settings;
    this.reset();
  }

  get requests(): readonly BitString[] {
    return this.#settings.permissionsTable.map((_, actor) => this.#requests[actor] ?? this.#none());
  }

  /** The number of the action that ran last, from 1; 0 for none. */
  get lastOutcome(): number {
    return this.#lastOutcome;
  }

  reset(): void {
    this.#requests = [];
    this.#lastOutcome = 0;
  }

  /** An actor, counted from 1, asks for actions. False where it may not ask for one of them: then nothing changes. */
  request(actor: number, wanted: BitString): boolean {
    const { actions, permissionsTable } = this.#settings;
    const permitted = permissionsTable[actor - 1];
    if (permitted === undefined) return false;
    for (let action = 0; action < Math.max(wanted.length, actions.length); action += 1)
      if (hasBit(wanted, action) && (action >= actions.length || !hasBit(permitted, action))) return false;
    const copy = { length: wanted.length, bytes: wanted.bytes.slice() };
    this.#requests = this.requests.map((one, at) => (at === actor - 1 ? copy : one));
    this.#decide();
    return true;
  }

  #decide(): void {
    const { actions, weightingsTable } = this.#settings;
    const sums = actions.map((_, action) =>
      this.#requests.reduce(
        (sum, asked, actor) => (hasBit(asked, action) ? sum + (weightingsTable[actor]?.[action] ?? 0) : sum),
        0,
      ),
    );
    const most = Math.max(0, ...sums);
    const winner = sums.indexOf(most);
    const script = actions[winner];
    if (most === 0 || sums.lastIndexOf(most) !== winner || script === undefined) return;
    this.#lastOutcome = winner + 1;
    this.#run(script);
  }

  #none(): BitString {
    const { length } = this.#settings.actions;
    return { length, bytes: new Uint8Array(Math.ceil(length / 8)) };
  }
}

/** Serves class 68 from an arbitrator of the meter. */
export function serveArbitrator<State>(
  arbitratorOf: (state: State, context: ServeContext) => ResourceArbitrator,
): ServedClass<State> {
  const change = (part: Partial<ArbitratorSettings>, state: State, context: ServeContext): void => {
    const arbitrator = arbitratorOf(state, context);
    arbitrator.settings = { ...arbitrator.settings, ...part };
  };
  return Arbitrator.serve<State>({
    get: {
      actions: (state, context) => arbitratorOf(state, context).settings.actions,
      permissionsTable: (state, context) => arbitratorOf(state, context).settings.permissionsTable,
      weightingsTable: (state, context) => arbitratorOf(state, context).settings.weightingsTable,
      mostRecentRequestsTable: (state, context) => arbitratorOf(state, context).requests,
      lastOutcome: (state, context) => arbitratorOf(state, context).lastOutcome,
    },
    set: {
      actions: (actions, state, context) => change({ actions }, state, context),
      permissionsTable: (permissionsTable, state, context) => change({ permissionsTable }, state, context),
      weightingsTable: (weightingsTable, state, context) => change({ weightingsTable }, state, context),
    },
    call: {
      requestAction: ({ requestActor, requestActionList }, state, context) =>
        arbitratorOf(state, context).request(requestActor, requestActionList) ? undefined : refuse("other-reason"),
      reset: (_, state, context) => arbitratorOf(state, context).reset(),
    },
  });
}
