import { type ChoiceOf, choice } from "../codec/choice.ts";
import type { Codec } from "../codec/codec.ts";
import { accessRequest, accessResponse } from "./access.ts";
import { actionRequest, actionResponse } from "./action.ts";
import {
  generalCiphering,
  generalGloCiphering,
  generalSigning,
  type SecuredText,
  serviceCiphered,
} from "./ciphered.ts";
import { generalBlockTransfer } from "./datablock.ts";
import { getRequest, getResponse } from "./get.ts";
import { initiateRequest, initiateResponse } from "./initiate.ts";
import { dataNotification, eventNotificationRequest } from "./notification.ts";
import { confirmedServiceError, exceptionResponse } from "./service-error.ts";
import { setRequest, setResponse } from "./set.ts";
import { type CipherableService, GENERAL_TAGS as general, SERVICE_TAGS as service } from "./tags.ts";

const plain = {
  "initiate-request": [service["initiate-request"].plain, initiateRequest],
  "initiate-response": [service["initiate-response"].plain, initiateResponse],
  "confirmed-service-error": [service["confirmed-service-error"].plain, confirmedServiceError],
  "data-notification": [general["data-notification"], dataNotification],
  "get-request": [service["get-request"].plain, getRequest],
  "set-request": [service["set-request"].plain, setRequest],
  "event-notification-request": [service["event-notification-request"].plain, eventNotificationRequest],
  "action-request": [service["action-request"].plain, actionRequest],
  "get-response": [service["get-response"].plain, getResponse],
  "set-response": [service["set-response"].plain, setResponse],
  "action-response": [service["action-response"].plain, actionResponse],
  "exception-response": [general["exception-response"], exceptionResponse],
  "access-request": [general["access-request"], accessRequest],
  "access-response": [general["access-response"], accessResponse],
  "general-block-transfer": [general["general-block-transfer"], generalBlockTransfer],
} as const;

const generalCiphered = {
  "general-glo-ciphering": [general["general-glo-ciphering"], generalGloCiphering],
  "general-ded-ciphering": [general["general-ded-ciphering"], generalGloCiphering],
  "general-ciphering": [general["general-ciphering"], generalCiphering],
  "general-signing": [general["general-signing"], generalSigning],
} as const;

type ServiceCiphered = Readonly<
  Record<`${"glo" | "ded"}-${CipherableService}`, readonly [tag: number, codec: Codec<SecuredText>]>
>;

const serviceCipheredVariants = Object.fromEntries(
  Object.entries(service).flatMap(([name, tags]) => [
    [`glo-${name}`, [tags.glo, serviceCiphered]],
    [`ded-${name}`, [tags.ded, serviceCiphered]],
  ]),
) as unknown as ServiceCiphered;

/**
 * Any xDLMS APDU, told apart by its tag: `{ kind: "get-request", value: { kind: "normal", value: { … } } }`.
 *
 * Ciphered ones stay sealed. The ACSE's (AARQ, AARE, RLRQ, RLRE) are read by `acseApdu`; the services of short-name
 * referencing are not declared yet.
 */
export const apdu = choice({ ...plain, ...generalCiphered, ...serviceCipheredVariants });

/** The value of an APDU. */
export type Apdu = ChoiceOf<typeof plain & typeof generalCiphered & ServiceCiphered>;

/** An APDU that is not ciphered. */
export type PlainApdu = ChoiceOf<typeof plain>;
