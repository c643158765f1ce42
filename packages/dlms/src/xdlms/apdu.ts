import { type ChoiceOf, choice } from "../codec/choice.ts";
import type { Codec } from "../codec/codec.ts";
import { GENERAL_TAGS, SERVICE_TAGS } from "../security/tags.ts";
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
import { informationReport } from "./information-report.ts";
import { initiateRequest, initiateResponse } from "./initiate.ts";
import { dataNotification, dataNotificationConfirm, eventNotificationRequest } from "./notification.ts";
import { readRequest, readResponse } from "./read.ts";
import { confirmedServiceError, exceptionResponse } from "./service-error.ts";
import { setRequest, setResponse } from "./set.ts";
import { writeRequest, writeResponse } from "./write.ts";

const plain = {
  "initiate-request": [0x01, initiateRequest],
  "read-request": [0x05, readRequest],
  "write-request": [0x06, writeRequest],
  "initiate-response": [0x08, initiateResponse],
  "read-response": [0x0c, readResponse],
  "write-response": [0x0d, writeResponse],
  "confirmed-service-error": [0x0e, confirmedServiceError],
  "data-notification": [0x0f, dataNotification],
  "data-notification-confirm": [0x10, dataNotificationConfirm],
  "unconfirmed-write-request": [0x16, writeRequest],
  "information-report-request": [0x18, informationReport],
  "get-request": [0xc0, getRequest],
  "set-request": [0xc1, setRequest],
  "event-notification-request": [0xc2, eventNotificationRequest],
  "action-request": [0xc3, actionRequest],
  "get-response": [0xc4, getResponse],
  "set-response": [0xc5, setResponse],
  "action-response": [0xc7, actionResponse],
  "exception-response": [0xd8, exceptionResponse],
  "access-request": [0xd9, accessRequest],
  "access-response": [0xda, accessResponse],
  "general-block-transfer": [0xe0, generalBlockTransfer],
} as const;

const generalCiphered = {
  "general-glo-ciphering": [GENERAL_TAGS.generalGlobal, generalGloCiphering],
  "general-ded-ciphering": [GENERAL_TAGS.generalDedicated, generalGloCiphering],
  "general-ciphering": [GENERAL_TAGS.generalCiphering, generalCiphering],
  "general-signing": [GENERAL_TAGS.generalSigning, generalSigning],
} as const;

type ServiceCiphered = Readonly<
  Record<`${"glo" | "ded"}-${(typeof SERVICE_TAGS)[number]["name"]}`, readonly [tag: number, codec: Codec<SecuredText>]>
>;

const serviceCipheredVariants = Object.fromEntries(
  SERVICE_TAGS.flatMap(({ name, global, dedicated }) => [
    [`glo-${name}`, [global, serviceCiphered]],
    [`ded-${name}`, [dedicated, serviceCiphered]],
  ]),
) as unknown as ServiceCiphered;

/**
 * Any xDLMS APDU, told apart by its tag: `{ kind: "get-request", value: { kind: "normal", value: { … } } }`.
 *
 * Ciphered ones stay sealed. The ACSE's (AARQ, AARE, RLRQ, RLRE) are read by `acseApdu`.
 */
export const apdu = choice({ ...plain, ...generalCiphered, ...serviceCipheredVariants });

/** The value of an APDU. */
export type Apdu = ChoiceOf<typeof plain & typeof generalCiphered & ServiceCiphered>;

/** An APDU that is not ciphered. */
export type PlainApdu = ChoiceOf<typeof plain>;
