import type { CustodianStatus } from "@meterkeep/api/custodian";
import type { FastifyInstance } from "fastify";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** What a monitoring system may know: counts and times, no meter by name. */
export class Metrics {
  readonly registry = new Registry();
  readonly sessions = new Counter({
    name: "meterkeep_sessions_total",
    help: "Sessions with meters by purpose and outcome",
    labelNames: ["purpose", "outcome"],
    registers: [this.registry],
  });
  readonly sessionSeconds = new Histogram({
    name: "meterkeep_session_seconds",
    help: "How long sessions with meters take",
    labelNames: ["purpose"],
    buckets: [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60, 300],
    registers: [this.registry],
  });
  readonly intervals = new Counter({
    name: "meterkeep_intervals_read_total",
    help: "Interval values read from meters",
    registers: [this.registry],
  });
  readonly pushes = new Counter({
    name: "meterkeep_pushes_total",
    help: "Pushes by what became of them",
    labelNames: ["outcome"],
    registers: [this.registry],
  });

  constructor(observed: {
    readonly streams: () => number;
    readonly busySessions: () => number;
    readonly custodianRefusals: () => CustodianStatus["refusals"];
  }) {
    collectDefaultMetrics({ register: this.registry, prefix: "meterkeep_" });
    const { registry } = this;
    new Gauge({
      name: "meterkeep_event_streams",
      help: "Open event streams",
      registers: [registry],
      collect() {
        this.set(observed.streams());
      },
    });
    new Gauge({
      name: "meterkeep_custodian_refusals",
      help: "What the custodian has refused since it started and should never have been asked: seals beyond a budget, rows of its database that were put back, ledger entries that were only counted",
      labelNames: ["kind"],
      registers: [registry],
      collect() {
        const { sealBudget, records, entriesCounted } = observed.custodianRefusals();
        this.set({ kind: "seal-budget" }, sealBudget);
        this.set({ kind: "record" }, records);
        this.set({ kind: "entry-counted" }, entriesCounted);
      },
    });
    new Gauge({
      name: "meterkeep_sessions_busy",
      help: "Sessions with meters under way",
      registers: [registry],
      collect() {
        this.set(observed.busySessions());
      },
    });
  }
}

/** Serves the metrics, to who has a login or a token like everything else. */
export function serveMetrics(app: FastifyInstance, { registry }: Metrics): void {
  app.get(
    "/metrics",
    { config: { access: "anyone", scope: "read" }, schema: { hide: true } },
    async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
  );
}
