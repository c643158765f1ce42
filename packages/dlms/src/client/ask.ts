import { decode } from "../codec/codec.ts";
import { logicalNameOctets, logicalNameText } from "../cosem/logical-name.ts";
import type { SelectiveAccessDescriptor } from "../cosem/selective-access.ts";
import { data } from "../data/data.ts";
import type { AttributeDescriptor, AttributeWithSelection, MethodDescriptor } from "../xdlms/descriptors.ts";
import type { InvokeIdAndPriority } from "../xdlms/invoke-id.ts";
import type { RequestBlocks } from "./conversation.ts";
import { SessionError } from "./session-error.ts";

/** Sends one plain APDU and gives the plain answer; a refusal of the whole request is thrown. */
export type Ask = (plain: Uint8Array, step: string) => Promise<Uint8Array>;

/** What the transfers of one request need of their session. */
export interface RequestScope {
  readonly ask: Ask;
  readonly id: InvokeIdAndPriority;
  /** Octets that a plain request may have. */
  readonly maxRequestBytes: number;
  /** Octets that a response in blocks may grow to. */
  readonly maxResponseBytes: number;
  /** Octets of data in blocks of the request. */
  readonly requestBlocks: RequestBlocks;
}

/** An attribute of an object. */
export interface AttributeAddress {
  readonly classId: number;
  /** `A.B.C.D.E.F` */
  readonly logicalName: string;
  readonly attributeId: number;
}

/** A method of an object. */
export interface MethodAddress {
  readonly classId: number;
  readonly logicalName: string;
  readonly methodId: number;
  /** What the class adds to the base name for method 1: needed under short-name referencing only. */
  readonly methodOffset?: number | undefined;
}

export function attributeDescriptorOf({ classId, logicalName, attributeId }: AttributeAddress): AttributeDescriptor {
  return { classId, instanceId: logicalNameOctets(logicalName), attributeId };
}

export function methodDescriptorOf({ classId, logicalName, methodId }: MethodAddress): MethodDescriptor {
  return { classId, instanceId: logicalNameOctets(logicalName), methodId };
}

/** An attribute with the part of it that is meant, as requests carry it. */
export function withSelection(
  attribute: AttributeDescriptor,
  selection: SelectiveAccessDescriptor | undefined,
): AttributeWithSelection {
  if (selection === undefined) return { attribute };
  return { attribute, access: { selector: selection.selector, parameters: decode(data, selection.parameters) } };
}

/** How an attribute is called in messages and ladders: `1.0.1.8.0.255/2`. */
export function attributeText({ instanceId, attributeId }: AttributeDescriptor): string {
  return `${logicalNameText(instanceId)}/${attributeId}`;
}

/** How a method is called: `0.0.96.3.10.255/1()`. */
export function methodText({ instanceId, methodId }: MethodDescriptor): string {
  return `${logicalNameText(instanceId)}/${methodId}()`;
}

/** @throws SessionError `unexpected-response` when the answer belongs to another request. */
export function requireSameId(sent: InvokeIdAndPriority, received: InvokeIdAndPriority): void {
  if (sent.invokeId !== received.invokeId)
    throw new SessionError(
      "unexpected-response",
      `the answer carries invoke id ${received.invokeId} where ${sent.invokeId} was asked`,
    );
}

export function unexpected(step: string, what: string): SessionError {
  return new SessionError("unexpected-response", `${step}: ${what}`);
}
