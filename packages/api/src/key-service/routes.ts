/** Every route of the key service in one table: the custodian serves it, the description and the fuzz test walk it. */
import type { Static, TSchema } from "typebox";
import {
  AssociateEstablished,
  AssociateFailed,
  AssociateItem,
  AssociateSend,
  Closed,
  CloseItem,
  items,
  Opened,
  OpenedSession,
  OpenItem,
  OpenRefused,
  OpenSessionItem,
  RefusedCall,
  results,
  Sealed,
  SealItem,
  SealRefused,
  Self,
  SessionItem,
  Verified,
  VerifyItem,
  VerifyRefused,
} from "./schemas.ts";

/** A route that takes a list and gives one. */
export interface KeyServiceRoute {
  readonly path: string;
  readonly summary: string;
  readonly body: TSchema;
  readonly response: TSchema;
}

/** All of them are POST: nothing here may be cached or asked again by a proxy. */
export const KEY_SERVICE_ROUTES = {
  sessions: {
    path: "/v1/sessions",
    summary: "Open crypto sessions; each gives the AARQ to send",
    body: items(OpenSessionItem),
    response: results(OpenedSession, RefusedCall),
  },
  associate: {
    path: "/v1/associate",
    summary: "Hand in what meters answered until the association is established",
    body: items(AssociateItem),
    response: results(AssociateSend, AssociateEstablished, AssociateFailed, RefusedCall),
  },
  seal: {
    path: "/v1/seal",
    summary: "Protect plain requests; each is decoded and judged first",
    body: items(SealItem),
    response: results(Sealed, SealRefused),
  },
  open: {
    path: "/v1/open",
    summary: "Verify and decipher what meters answered; each is taken once",
    body: items(OpenItem),
    response: results(Opened, OpenRefused),
  },
  release: {
    path: "/v1/release",
    summary: "Make the RLRQ of sessions",
    body: items(SessionItem),
    response: results(AssociateSend, RefusedCall),
  },
  close: {
    path: "/v1/close",
    summary: "End sessions",
    body: items(CloseItem),
    response: results(Closed, RefusedCall),
  },
  verify: {
    path: "/v1/verify",
    summary: "Verify and decipher pushes; each is taken once, by whoever asks first",
    body: items(VerifyItem),
    response: results(Verified, VerifyRefused),
  },
} as const satisfies Readonly<Record<string, KeyServiceRoute>>;

export type KeyServiceRouteName = keyof typeof KEY_SERVICE_ROUTES;
export type KeyServiceBody<R extends KeyServiceRouteName> = Static<(typeof KEY_SERVICE_ROUTES)[R]["body"]>;
export type KeyServiceResults<R extends KeyServiceRouteName> = Static<
  (typeof KEY_SERVICE_ROUTES)[R]["response"]
>["results"];

/** What is asked for with GET. */
export const KEY_SERVICE_PAGES = {
  self: { path: "/v1/self", summary: "Say who is asking, with its rights and limits", response: Self },
  openapi: { path: "/v1/openapi.json", summary: "This description", response: undefined },
} as const;
