import type { EventData, ProtectionGrade } from "@meterkeep/api";
import { manufacturerOf, systemTitleText } from "@meterkeep/dlms";
import type { HeardRefusals } from "../campaign/refusals.ts";
import type { EventSink } from "../event/event-hub.ts";
import type { MeterDirectory } from "../inventory/directory.ts";
import type { Meter } from "../inventory/meter.ts";
import type { RegisterRecord } from "../reading/result.ts";
import { counted } from "../reading/words.ts";
import { alarmsIn } from "./alarm-code.ts";
import { AlarmStorms, type Storm, type StormLimits } from "./alarm-storm.ts";
import type { DatedPush } from "./arrived-push.ts";
import { claimedTitle } from "./claimed-title.ts";
import type { PushSources } from "./push-sources.ts";

/** Whom pushes are told of to, and what is asked for that. */
export interface PushNewsPorts {
  readonly directory: Pick<MeterDirectory, "find">;
  readonly sources: Pick<PushSources, "stranger">;
  readonly events: EventSink;
  now(): number;
  /** Counts, for metrics: `accepted`, `dropped` or the code of a refusal. */
  onOutcome(outcome: string): void;
  /** Is told of storms that are folded (MC-22). */
  readonly heard: Pick<HeardRefusals, "note">;
}

/** From how many on what is not taken is told of together: less is told of it than of alarms, since anybody can cause it. */
const NOT_TAKEN_LIMITS: StormLimits = { perMeterAnHour: 5, perFleetAMinute: 50, maxCounts: 20_000 };

/** Tells people of what was pushed: of each, or once of a storm (MC-22). */
export class PushNews {
  readonly #ports: PushNewsPorts;
  readonly #storms = new AlarmStorms();
  readonly #notTaken = new AlarmStorms(NOT_TAKEN_LIMITS);
  /** New ones that were counted in a storm since the last look. */
  #untoldStrangers = 0;

  constructor(ports: PushNewsPorts) {
    this.#ports = ports;
  }

  /** Tells of storms that are over, and that there are more strangers than were told of; to be called now and then. */
  lookAtStorms(): void {
    const at = this.#ports.now();
    this.#tellUntoldStrangers(at);
    this.#tellEnded("alarm", this.#storms.ended(at), at);
    this.#tellEnded("push", this.#notTaken.ended(at), at);
  }

  /** One was opened, and is stored. */
  accepted(push: DatedPush, meter: Meter, registers: readonly RegisterRecord[], protection: ProtectionGrade): void {
    this.#ports.onOutcome("accepted");
    const how = protection === "authenticated" ? "authenticated" : "confidential only, not authenticated";
    if (protection === "authenticated" && this.#alarms(push, meter, registers)) return;
    const sentence = `${meter.label} pushed ${counted(registers.length, "reading")} over ${push.transport.toUpperCase()}: ${how}.`;
    // A fleet pushes several times a second: who watches sees it, and the list of recent events keeps the rest.
    const isOrdinary = meter.role !== "attached" && protection === "authenticated";
    const severity = protection === "authenticated" ? "info" : "notice";
    this.#publish(push, { meter: meter.title, accepted: true, sentence }, isOrdinary ? undefined : severity);
  }

  /** One in the name of a meter of ours is not taken. */
  refused(push: DatedPush, meter: Meter, code: string): void {
    this.#ports.onOutcome(code);
    this.#tellNotTaken(push, meter.title, {
      code,
      severity: "warning",
      meter: meter.title,
      single: `A push in the name of ${meter.label} was refused: ${code}.`,
      storm: `Pushes in the name of ${meter.label} are refused, many of them: ${code}.`,
    });
  }

  /** One comes from nobody whom anybody has shipped or added. */
  stranger(push: DatedPush, code: string): void {
    this.#ports.onOutcome(code);
    const claimed = claimedTitle(push.apdu);
    const title = claimed === undefined ? undefined : systemTitleText(claimed);
    const isNew = this.#ports.sources.stranger(
      { address: push.address, transport: push.transport, ...(title === undefined ? {} : { systemTitle: title }) },
      code,
      new Date(push.at),
    );
    if (!isNew) return;
    const maker = claimed === undefined ? undefined : manufacturerOf(claimed);
    const name = title === undefined ? "Something" : `A meter ${title}${maker === undefined ? "" : ` (${maker})`}`;
    const isTold = this.#tellNotTaken(push, push.address, {
      code,
      severity: "notice",
      single: `${name} that nobody has shipped or added sends to us: it is shown and not believed.`,
      storm: `${push.address} sends in many names that nobody has shipped or added: they are not believed.`,
    });
    if (!isTold) this.#untoldStrangers += 1;
  }

  /** Without a line: what is shown of strangers is out of date, whatever storm they were counted in. */
  #tellUntoldStrangers(at: number): void {
    const count = this.#untoldStrangers;
    if (count === 0) return;
    this.#untoldStrangers = 0;
    this.#ports.events.publish("push", {
      at: new Date(at).toISOString(),
      source: "push",
      accepted: false,
      code: "unknown-meter",
      sentence: `${counted(count, "sender")} that nobody has shipped or added came in a storm.`,
    });
  }

  #tellEnded(what: "alarm" | "push", storms: readonly Storm[], at: number): void {
    for (const { code, meter, count } of storms) {
      const whose = meter === undefined ? "the fleet" : (this.#ports.directory.find(meter)?.label ?? meter);
      const came =
        what === "alarm" ? `alarms ${code} of ${whose}` : `pushes in the name of ${whose} that were refused (${code})`;
      const sentence = `The storm of ${came} is over: ${count} came.`;
      const data = { at: new Date(at).toISOString(), source: "push", accepted: what === "alarm", code, sentence };
      this.#ports.events.publish("push", data, {
        sentence,
        severity: "notice",
        ...(meter === undefined ? {} : { meter }),
      });
    }
  }

  /** Tells of alarms one by one, or once for a storm of them. @returns whether there were any */
  #alarms(push: DatedPush, meter: Meter, registers: readonly RegisterRecord[]): boolean {
    const alarms = alarmsIn(registers, meter.profile);
    for (const alarm of alarms) {
      this.#ports.onOutcome("alarm");
      const verdict = this.#storms.take(meter.title, alarm, push.at);
      if (verdict.kind === "counted") continue;
      const storm = verdict.kind === "begins" ? verdict.storm : undefined;
      const whose = storm !== undefined && storm.meter === undefined ? "Many meters" : meter.label;
      const sentence =
        storm === undefined
          ? `${whose}: alarm, ${alarm.words}.`
          : `${whose}: a storm of alarms, ${alarm.words}. All are stored; they are counted here until it is over.`;
      if (storm !== undefined)
        this.#ports.heard.note("MC-22", { at: new Date(push.at).toISOString(), sentence, by: whose, meters: 1 });
      this.#publish(push, { meter: meter.title, accepted: true, code: alarm.code, sentence }, "warning");
    }
    return alarms.length > 0;
  }

  /**
   * What is not taken is counted each time, and told like alarms: whoever sends rubbish must not push out of sight what is true.
   *
   * @returns false where it was only counted.
   */
  #tellNotTaken(
    push: DatedPush,
    sender: string,
    told: {
      readonly code: string;
      readonly severity: "notice" | "warning";
      readonly meter?: string;
      readonly single: string;
      readonly storm: string;
    },
  ): boolean {
    const { code, severity, meter } = told;
    const verdict = this.#notTaken.take(sender, { code, always: false }, push.at);
    if (verdict.kind === "counted") return false;
    const isFleet = verdict.kind === "begins" && verdict.storm.meter === undefined;
    const storm = isFleet ? `Pushes in many names are refused: ${code}.` : told.storm;
    const sentence = verdict.kind === "single" ? told.single : `${storm} They are counted here until it is over.`;
    this.#publish(push, { ...(meter !== undefined && { meter }), accepted: false, code, sentence }, severity);
    return true;
  }

  #publish(
    push: DatedPush,
    event: Omit<EventData["push"], "at" | "source">,
    severity: "info" | "notice" | "warning" | undefined,
  ): void {
    const data = { at: new Date(push.at).toISOString(), source: `${push.transport}://${push.address}`, ...event };
    const { meter, sentence } = event;
    if (severity === undefined) this.#ports.events.publish("push", data);
    else this.#ports.events.publish("push", data, { sentence, severity, ...(meter === undefined ? {} : { meter }) });
  }
}
