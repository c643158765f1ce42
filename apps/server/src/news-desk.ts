import type { EventHub, News } from "@meterkeep/headend";
import type { ReadBack } from "./drill/read-back.ts";
import type { Metrics } from "./http/metrics.ts";
import type { MeterWatch } from "./meter-watch.ts";

export interface NewsDeskPorts {
  readonly hub: Pick<EventHub, "publish">;
  readonly watch: () => {
    readonly changed: Pick<MeterWatch["changed"], "add">;
    readonly takeovers: Pick<MeterWatch["takeovers"], "lookAt">;
  };
  readonly metrics: () => Pick<Metrics, "sessions" | "sessionSeconds" | "intervals">;
  readonly readBack: () => Pick<ReadBack, "onSession">;
  onError(error: unknown): void;
}

/** Tells pages, counters and who waits for a reading what a worker did, whichever process it lives in. */
export function newsDesk({ hub, watch, metrics, readBack, onError }: NewsDeskPorts): (news: News) => void {
  return (news) => {
    switch (news.kind) {
      case "changed":
        return watch().changed.add(...news.meters);
      case "event":
        return hub.publish(news.type, news.data, news.line);
      case "other-word":
        return void watch().takeovers.lookAt(news.meter).catch(onError);
      case "session": {
        const { purpose, outcome, milliseconds, intervals } = news.session;
        metrics().sessions.inc({ purpose, outcome });
        metrics().sessionSeconds.observe({ purpose }, milliseconds / 1000);
        metrics().intervals.inc(intervals);
        return readBack().onSession(news.session);
      }
      default:
        news satisfies never;
    }
  };
}
