import type { LogicalName } from "../cosem/logical-name.ts";
import type { ServeContext } from "../cosem/served.ts";
import type { Agreement } from "./agreement.ts";
import type { AssociationModel } from "./association-model.ts";
import type { Call } from "./call.ts";
import type { Device } from "./ports.ts";

/** A `ServeContext` with what the server's own classes need beside it. */
export class RequestContext<Key = unknown, State = unknown> implements ServeContext {
  readonly logicalName: LogicalName;
  /** The request being served: objects that act on others do it with its rights. */
  readonly call: Call<Key, State>;

  constructor(logicalName: LogicalName, call: Call<Key, State>) {
    this.logicalName = logicalName;
    this.call = call;
  }

  get model(): AssociationModel<State> {
    return this.call.model;
  }

  get device(): Device<Key, State> {
    return this.call.device;
  }

  get agreement(): Agreement {
    return this.call.association.agreement;
  }

  get serverSap(): number {
    return this.call.serverSap;
  }

  get association(): string {
    return this.model.definition.name;
  }

  get clientSap(): number {
    return this.model.definition.clientSap;
  }
}
